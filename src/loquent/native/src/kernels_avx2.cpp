// The table of AVX2 with FMA and F16C.
#include "kernel_table.hpp"
#include "lanes_avx2.hpp"
#include "products_avx2.hpp"

namespace loquent {

namespace {

// Stores 32 bits of each of 8 lanes as 8 bits.
inline void store_codes(std::byte* out, __m256i codes) {
  const __m128i low = _mm256_castsi256_si128(codes), high = _mm256_extracti128_si256(codes, 1);
  const __m128i words = _mm_packs_epi32(low, high);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm_packs_epi16(words, words));
}

inline std::int32_t sum_lanes(__m256i v) {
  __m128i half = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
}

inline float largest(__m256i bits) {  // of eight floats without signs, which order as their bits do
  __m128i half = _mm_max_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1));
  half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0x4e));
  half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0xb1));
  return _mm_cvtss_f32(_mm_castsi128_ps(half));
}

// Codes in the order of the columns.
void encode_int(const float* x, std::size_t columns, std::byte* record) {
  float* scales = reinterpret_cast<float*>(record);
  float* sums = scales + columns / kGroup;
  std::byte* out = record + code_values(columns);
  for (std::size_t first = 0; first < columns; first += kGroup) {
    __m256i bits = _mm256_setzero_si256();
    for (std::size_t i = first; i < first + kGroup; i += 8)
      bits = _mm256_max_epi32(bits, _mm256_and_si256(load(x + i), _mm256_set1_epi32(0x7fffffff)));
    const float most = largest(bits), inverse = code_factor(most), scale = code_scale(most);
    scales[first / kGroup] = scale;
    for (std::size_t part = first; part < first + kGroup; part += kInt4Group) {
      __m256i total = _mm256_setzero_si256();
      for (std::size_t i = part; i < part + kInt4Group; i += 8) {
        __m256i codes = _mm256_setzero_si256();
        if (inverse > 0.0f)
          codes = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), _mm256_set1_ps(inverse)));
        total = _mm256_add_epi32(total, codes);
        store_codes(out + i, codes);
      }
      sums[part / kInt4Group] = scale * float(sum_lanes(total));
    }
  }
}

}  // namespace

const Kernels& avx2_kernels() {
  static const Kernels table = kernel_table<Lanes>(
      "avx2", encode_int, product<ProductF32>, product<ProductBf16>, product<ProductInt8>,
      product<ProductInt4>);
  return table;
}

}  // namespace loquent
