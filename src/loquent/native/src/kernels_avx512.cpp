// The table of AVX-512 with VNNI.
#include "kernel_table.hpp"
#include "lanes_avx512.hpp"
#include "products_vnni.hpp"

namespace loquent {

namespace {

struct Wide {
  using Lanes = loquent::Lanes;
  static constexpr std::size_t tile_vectors = 4, tile_tokens = 6;  // 24 sums in 32 registers
  __m512i v;

  static Wide load(const std::byte* x) { return {_mm512_loadu_si512(x)}; }
  void store(std::byte* x) const { _mm512_storeu_si512(x, v); }
  static Wide set(std::int32_t x) { return {_mm512_set1_epi32(x)}; }
  static Wide dot(Wide sums, Wide weights, Wide x) {
    sums.v = _mm512_dpbusd_epi32(sums.v, weights.v, x.v);
    SETTLE(sums.v);
    return sums;
  }
  Wide flip() const { return {_mm512_xor_si512(v, _mm512_set1_epi32(int(0x80808080u)))}; }
  Wide low() const { return {_mm512_and_si512(v, _mm512_set1_epi32(0x0f0f0f0f))}; }
  Wide high() const { return Wide{_mm512_srli_epi16(v, 4)}.low(); }
  Lanes even() const { return {_mm512_castsi512_ps(_mm512_slli_epi32(v, 16))}; }
  Lanes odd() const {
    return {_mm512_castsi512_ps(_mm512_and_si512(v, _mm512_set1_epi32(int(0xffff0000u))))};
  }
  Lanes floats() const { return {_mm512_cvtepi32_ps(v)}; }
  std::int32_t total() const { return _mm512_reduce_add_epi32(v); }
};

inline __m512i magnitude(const float* x) {
  return _mm512_and_si512(_mm512_loadu_si512(x), _mm512_set1_epi32(0x7fffffff));
}

// The largest size of 64 numbers, compared as whole numbers: no numbers are the largest of all.
inline float largest(const float* x) {
  const __m512i low = _mm512_max_epi32(magnitude(x), magnitude(x + 16));
  const __m512i high = _mm512_max_epi32(magnitude(x + 32), magnitude(x + 48));
  const std::int32_t bits = _mm512_reduce_max_epi32(_mm512_max_epi32(low, high));
  float most;
  std::memcpy(&most, &bits, sizeof most);
  return most;
}

// Writes 16 codes, and gives them as numbers of 32 bits.
inline __m512i put_codes(const float* x, float inverse, std::byte* out) {
  __m512i codes = _mm512_setzero_si512();
  if (inverse > 0.0f) codes = _mm512_cvtps_epi32((Lanes::load(x) * Lanes::set(inverse)).v);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm512_cvtepi32_epi8(codes));
  return codes;
}

// As encode_int of products_vnni.hpp, and in one pass.
void encode_wide(const float* x, std::size_t columns, std::byte* record) {
  float* scales = reinterpret_cast<float*>(record);
  float* totals = scales + columns / kGroup;
  std::byte* out = record + code_values(columns);
  std::int32_t* corrections = reinterpret_cast<std::int32_t*>(out + columns);
  for (std::size_t group = 0; group < columns / kGroup; ++group, x += kGroup) {
    const float most = largest(x), inverse = code_factor(most), scale = code_scale(most);
    *scales++ = scale;
    std::int32_t sum = 0;
    for (std::size_t half = 0; half < kGroup / kInt4Group; ++half, out += kInt4Group) {
      const float* from = x + half * kInt4Group;
      const __m512i codes = _mm512_add_epi32(put_codes(from, inverse, out), put_codes(from + 16, inverse, out + 16));
      const std::int32_t total = _mm512_reduce_add_epi32(codes);
      *totals++ = scale * float(total);
      sum += total;
    }
    corrections[group] = -128 * sum;
  }
}

}  // namespace

const Kernels& avx512_kernels() {
  static const Kernels table = kernel_table<Lanes>(
      "avx512", encode_wide, product<ProductF32<Wide>>, product<ProductBf16<Wide>>,
      product<ProductInt8<Wide>>, product<ProductInt4<Wide>>);
  return table;
}

}  // namespace loquent
