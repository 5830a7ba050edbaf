// Four floats at a time, for the functions that float_kernels.hpp and attention_kernels.hpp write once
// for every instruction set. Unnamed, so that each file has its own, compiled with its own flags.
#pragma once

#include <arm_neon.h>

#include "half.hpp"

namespace loquent {

namespace {

struct Lanes {
  static constexpr std::size_t width = 4;
  float32x4_t v;

  static Lanes load(const float* x) { return {vld1q_f32(x)}; }
  static Lanes load(const Half* x) { return {vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(&x->bits)))}; }
  static Lanes set(float x) { return {vdupq_n_f32(x)}; }
  void store(float* x) const { vst1q_f32(x, v); }
  void store(Half* x) const { vst1_u16(&x->bits, vreinterpret_u16_f16(vcvt_f16_f32(v))); }
  static Lanes fma(Lanes a, Lanes b, Lanes c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
  // Not vmaxq_f32 and vminq_f32: they give no number where the first one is none.
  static Lanes max(Lanes a, Lanes b) { return {vbslq_f32(vcgtq_f32(a.v, b.v), a.v, b.v)}; }
  static Lanes min(Lanes a, Lanes b) { return {vbslq_f32(vcltq_f32(a.v, b.v), a.v, b.v)}; }
  static Lanes abs(Lanes a) { return {vabsq_f32(a.v)}; }
  static Lanes round(Lanes a) { return {vrndnq_f32(a.v)}; }
  static Lanes below(Lanes a, Lanes b, Lanes yes, Lanes no) {
    return {vbslq_f32(vcltq_f32(a.v, b.v), yes.v, no.v)};
  }
  static Lanes two_to(Lanes n) {
    const int32x4_t exponent = vaddq_s32(vcvtq_s32_f32(n.v), vdupq_n_s32(127));
    return {vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23))};
  }
  static Lanes copy_sign(Lanes size, Lanes sign) {
    return {vbslq_f32(vdupq_n_u32(0x80000000u), sign.v, size.v)};
  }
};

inline Lanes operator+(Lanes a, Lanes b) { return {vaddq_f32(a.v, b.v)}; }
inline Lanes operator-(Lanes a, Lanes b) { return {vsubq_f32(a.v, b.v)}; }
inline Lanes operator*(Lanes a, Lanes b) { return {vmulq_f32(a.v, b.v)}; }
inline Lanes operator/(Lanes a, Lanes b) { return {vdivq_f32(a.v, b.v)}; }

}  // namespace

}  // namespace loquent
