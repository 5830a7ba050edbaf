// AVX-512 and AVX-VNNI as SIMDe writes them with the instructions of this processor, and what SIMDe 0.7.4
// lacks of them.
#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

#include <algorithm>

#define SETTLE(sum) (void)(sum)  // vectors of 512 bits are in no registers here

static inline __m512 from_halves(__m256 low, __m256 high) {
  simde__m512_private made;
  made.m256[0] = low, made.m256[1] = high;
  return simde__m512_from_private(made);
}

static inline __m512 missing_cvtepi32_ps(__m512i x) {
  const simde__m512i_private halves = simde__m512i_to_private(x);
  return from_halves(_mm256_cvtepi32_ps(halves.m256i[0]), _mm256_cvtepi32_ps(halves.m256i[1]));
}

static inline __m512i missing_cvtps_epi32(__m512 x) {
  const simde__m512_private halves = simde__m512_to_private(x);
  simde__m512i_private made;
  for (int i = 0; i < 2; ++i) made.m256i[i] = _mm256_cvtps_epi32(halves.m256[i]);
  return simde__m512i_from_private(made);
}

static inline __m512 missing_cvtph_ps(__m256i x) {
  return from_halves(_mm256_cvtph_ps(_mm256_castsi256_si128(x)),
                     _mm256_cvtph_ps(_mm256_extracti128_si256(x, 1)));
}

static inline __m256i missing_cvtps_ph(__m512 x, int) {  // to the nearest
  const simde__m512_private halves = simde__m512_to_private(x);
  return _mm256_set_m128i(_mm256_cvtps_ph(halves.m256[1], _MM_FROUND_TO_NEAREST_INT),
                          _mm256_cvtps_ph(halves.m256[0], _MM_FROUND_TO_NEAREST_INT));
}

static inline __m256i missing_cvtepi32_epi16(__m512i x) {  // the lower halves
  unsigned short halves[16];
  for (int i = 0; i < 16; ++i) halves[i] = (unsigned short)simde__m512i_to_private(x).i32[i];
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves));
}

static inline __m128i missing_cvtepi32_epi8(__m512i x) {  // the lowest bytes
  unsigned char bytes[16];
  for (int i = 0; i < 16; ++i) bytes[i] = (unsigned char)simde__m512i_to_private(x).i32[i];
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}

static inline int missing_reduce_add_epi32(__m512i x) {
  int sum = 0;
  for (int i = 0; i < 16; ++i) sum += simde__m512i_to_private(x).i32[i];
  return sum;
}

static inline int missing_reduce_max_epi32(__m512i x) {
  int most = simde__m512i_to_private(x).i32[0];
  for (int i = 1; i < 16; ++i) most = std::max(most, int(simde__m512i_to_private(x).i32[i]));
  return most;
}

static inline float missing_reduce_max_ps(__m512 x) {
  float most = simde__m512_to_private(x).f32[0];
  for (int i = 1; i < 16; ++i) most = std::max(most, float(simde__m512_to_private(x).f32[i]));
  return most;
}

static inline __m256 missing_extractf32x8_ps(__m512 x, int half) {
  return simde__m512_to_private(x).m256[half];
}

#define _mm512_extractf32x8_ps missing_extractf32x8_ps
#define _mm512_reduce_max_epi32 missing_reduce_max_epi32
#define _mm512_reduce_max_ps missing_reduce_max_ps
#define _mm512_cvtepi32_ps missing_cvtepi32_ps
#define _mm512_cvtps_epi32 missing_cvtps_epi32
#define _mm512_cvtepi32_epi8 missing_cvtepi32_epi8
#define _mm512_cvtepi32_epi16 missing_cvtepi32_epi16
#define _mm512_cvtph_ps missing_cvtph_ps
#define _mm512_cvtps_ph missing_cvtps_ph
#define _mm512_reduce_add_epi32 missing_reduce_add_epi32
#define _mm256_dpbusd_avx_epi32 simde_mm256_dpbusd_epi32
