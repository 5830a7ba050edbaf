// The table of AVX2 with VNNI in registers of 256 bits (AVX-VNNI): whole numbers differ, floats are AVX2's.
#include "kernels.hpp"
#include "lanes_avx2.hpp"
#include "products_vnni.hpp"

namespace loquent {

namespace {

struct Wide {
  using Lanes = loquent::Lanes;
  static constexpr std::size_t tile_vectors = 2, tile_tokens = 5;  // 10 sums in 16 registers
  __m256i v;

  static Wide load(const std::byte* x) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x))};
  }
  void store(std::byte* x) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(x), v); }
  static Wide set(std::int32_t x) { return {_mm256_set1_epi32(x)}; }
  static Wide dot(Wide sums, Wide weights, Wide x) {
    sums.v = _mm256_dpbusd_avx_epi32(sums.v, weights.v, x.v);
    SETTLE(sums.v);
    return sums;
  }
  Wide flip() const { return {_mm256_xor_si256(v, _mm256_set1_epi32(int(0x80808080u)))}; }
  Wide low() const { return {_mm256_and_si256(v, _mm256_set1_epi32(0x0f0f0f0f))}; }
  Wide high() const { return Wide{_mm256_srli_epi16(v, 4)}.low(); }
  Lanes floats() const { return {_mm256_cvtepi32_ps(v)}; }
  std::int32_t total() const {
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
  }
};

}  // namespace

const Kernels& avxvnni_kernels() {
  static const Kernels table = [] {
    Kernels changed = avx2_kernels();
    changed.name = "avxvnni";
    changed.encode[std::size_t(Kind::int8)] = encode_int<Wide>;
    changed.encode[std::size_t(Kind::int4)] = encode_int<Wide>;
    changed.product[std::size_t(Kind::int8)] = product<ProductInt8<Wide>>;
    changed.product[std::size_t(Kind::int4)] = product<ProductInt4<Wide>>;
    return changed;
  }();
  return table;
}

}  // namespace loquent
