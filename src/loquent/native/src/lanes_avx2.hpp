// Eight floats at a time, for the functions that float_kernels.hpp and attention_kernels.hpp write once
// for every instruction set. Only kernels_avx2.cpp and kernels_avxvnni.cpp may include this: they are
// compiled for AVX2.
#pragma once

#include <immintrin.h>

#include "half.hpp"

namespace loquent {

namespace {

struct Lanes {
  static constexpr std::size_t width = 8;
  __m256 v;

  static Lanes load(const float* x) { return {_mm256_loadu_ps(x)}; }
  static Lanes load(const Half* x) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)))};
  }
  static Lanes set(float x) { return {_mm256_set1_ps(x)}; }
  void store(float* x) const { _mm256_storeu_ps(x, v); }
  void store(Half* x) const {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(x), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
  }
  static Lanes fma(Lanes a, Lanes b, Lanes c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
  static Lanes max(Lanes a, Lanes b) { return {_mm256_max_ps(a.v, b.v)}; }
  static Lanes min(Lanes a, Lanes b) { return {_mm256_min_ps(a.v, b.v)}; }
  static Lanes abs(Lanes a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
  static Lanes round(Lanes a) {
    return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  static Lanes below(Lanes a, Lanes b, Lanes yes, Lanes no) {
    return {_mm256_blendv_ps(no.v, yes.v, _mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ))};
  }
  static Lanes two_to(Lanes n) {
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n.v), _mm256_set1_epi32(127));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23))};
  }
  static Lanes copy_sign(Lanes size, Lanes sign) {
    const __m256 mask = _mm256_set1_ps(-0.0f);
    return {_mm256_or_ps(_mm256_andnot_ps(mask, size.v), _mm256_and_ps(mask, sign.v))};
  }
};

inline Lanes operator+(Lanes a, Lanes b) { return {_mm256_add_ps(a.v, b.v)}; }
inline Lanes operator-(Lanes a, Lanes b) { return {_mm256_sub_ps(a.v, b.v)}; }
inline Lanes operator*(Lanes a, Lanes b) { return {_mm256_mul_ps(a.v, b.v)}; }
inline Lanes operator/(Lanes a, Lanes b) { return {_mm256_div_ps(a.v, b.v)}; }

}  // namespace

}  // namespace loquent
