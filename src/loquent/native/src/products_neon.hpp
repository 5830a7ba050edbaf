// Products of a block's rows with some tokens: 16 bytes of weights at a time, one group of columns after
// the other, so that weights are read once and in order.
//
// In the blocks of every kind, 16 bytes stand for 4 rows, and the next columns of these follow 256 bytes
// further on. 16 bytes of activations are the four lanes that such rows are multiplied with, one after
// the other: a lane is one float, or four codes. What differs is how many lanes share 16 bytes.
#pragma once

#include <arm_neon.h>

#include "lanes_neon.hpp"
#include "products.hpp"
#include "unroll.hpp"

namespace loquent {

namespace {

constexpr std::size_t kStep = kBlockRows * 4;  // bytes

inline int8x16_t load(const std::byte* x) { return vld1q_s8(reinterpret_cast<const std::int8_t*>(x)); }

// Adds the products of one lane of T tokens with 4 R rows.
template <class Form, int lane, class Sum, std::size_t T, std::size_t R>
[[gnu::always_inline]] inline void multiply_lane(const std::byte* w, const int8x16_t (&x)[T],
                                                 Sum (&sums)[T][R]) {
  UNROLL for (std::size_t r = 0; r < R; ++r) {
    const auto weights = Form::template weights<lane>(load(w + lane / Form::shared * kStep + 16 * r));
    UNROLL for (std::size_t t = 0; t < T; ++t)
      sums[t][r] = Form::template add<lane>(sums[t][r], weights, x[t]);
  }
}

// Adds the products of `bytes` bytes of activations from `x` on, of T tokens.
template <class Form, class Sum, std::size_t T, std::size_t R>
[[gnu::always_inline]] inline void multiply_lanes(const std::byte* w, const std::byte* x,
                                                  std::size_t stride, std::size_t bytes,
                                                  Sum (&sums)[T][R]) {
  for (std::size_t i = 0; i < bytes; i += 16, w += 4 / Form::shared * kStep) {
    int8x16_t four[T];
    UNROLL for (std::size_t t = 0; t < T; ++t) four[t] = load(x + t * stride + i);
    multiply_lane<Form, 0>(w, four, sums);
    multiply_lane<Form, 1>(w, four, sums);
    multiply_lane<Form, 2>(w, four, sums);
    multiply_lane<Form, 3>(w, four, sums);
  }
}

template <std::size_t T, std::size_t R>
[[gnu::always_inline]] inline void clear(int32x4_t (&sums)[T][R]) {
  UNROLL for (std::size_t t = 0; t < T; ++t)
    UNROLL for (std::size_t r = 0; r < R; ++r) sums[t][r] = vdupq_n_s32(0);
}

// Of floats: a lane is one column.
template <class Form>
struct ProductFloat {
  template <int lane>
  static float32x4_t add(float32x4_t sum, float32x4_t weights, int8x16_t x) {
    return vfmaq_laneq_f32(sum, weights, vreinterpretq_f32_s8(x), lane);
  }
  template <std::size_t T, std::size_t R>
  static void run(const Part& part) {
    float32x4_t sums[T][R];
    UNROLL for (std::size_t t = 0; t < T; ++t)
      UNROLL for (std::size_t r = 0; r < R; ++r) sums[t][r] = vld1q_f32(part.sum(t, 4 * r));
    multiply_lanes<Form>(part.weights + part.row * 4,
                         reinterpret_cast<const std::byte*>(part.floats(0)), part.stride, kGroup * 4, sums);
    UNROLL for (std::size_t t = 0; t < T; ++t)
      UNROLL for (std::size_t r = 0; r < R; ++r) vst1q_f32(part.sum(t, 4 * r), sums[t][r]);
  }
};

struct ProductF32 : ProductFloat<ProductF32> {
  static constexpr int shared = 1;
  template <int>
  static float32x4_t weights(int8x16_t w) {
    return vreinterpretq_f32_s8(w);
  }
};

struct ProductBf16 : ProductFloat<ProductBf16> {
  static constexpr int shared = 2;
  template <int lane>
  static float32x4_t weights(int8x16_t w) {
    const uint32x4_t pairs = vreinterpretq_u32_s8(w);
    return vreinterpretq_f32_u32(lane % 2 ? vandq_u32(pairs, vdupq_n_u32(0xffff0000u))
                                          : vshlq_n_u32(pairs, 16));
  }
};

// Of codes: a lane is four columns. Dot::add<lane>(sums, weights, x) adds to the sums of 4 rows the
// products of their 4 weights each with the lane's codes.
template <class Dot>
struct ProductInt8 : Dot {
  static constexpr int shared = 1;
  template <int>
  static int8x16_t weights(int8x16_t w) {
    return w;
  }
  template <std::size_t T, std::size_t R>
  static void run(const Part& part) {
    int32x4_t sums[T][R];
    clear(sums);
    multiply_lanes<ProductInt8>(part.weights + part.row * 4, part.codes(0), part.stride, kGroup, sums);
    UNROLL for (std::size_t t = 0; t < T; ++t) {
      const float scale = *part.scales(t);
      UNROLL for (std::size_t r = 0; r < R; ++r) {
        float* y = part.sum(t, 4 * r);
        vst1q_f32(y, vfmaq_n_f32(vld1q_f32(y), vcvtq_f32_s32(sums[t][r]), scale));
      }
    }
  }
};

template <class Dot>
struct ProductInt4 : Dot {
  static constexpr int shared = 2;
  template <int lane>
  static int8x16_t weights(int8x16_t w) {
    const uint8x16_t bytes = vreinterpretq_u8_s8(w);
    return vreinterpretq_s8_u8(lane % 2 ? vshrq_n_u8(bytes, 4) : vandq_u8(bytes, vdupq_n_u8(15)));
  }
  template <std::size_t T, std::size_t R>
  static void run(const Part& part) {
    const std::byte* block = part.weights;
    for (std::size_t half = 0; half < kGroup / kInt4Group; ++half) {
      int32x4_t sums[T][R];
      clear(sums);
      multiply_lanes<ProductInt4>(block + 4 * kBlockRows + part.row * 4,
                                  part.codes(0) + half * kInt4Group, part.stride, kInt4Group, sums);
      const Half* halves = reinterpret_cast<const Half*>(block) + part.row;
      UNROLL for (std::size_t r = 0; r < R; ++r) {
        const float32x4_t scale = Lanes::load(halves + 4 * r).v;
        const float32x4_t minimum = Lanes::load(halves + kBlockRows + 4 * r).v;
        UNROLL for (std::size_t t = 0; t < T; ++t) {
          float* y = part.sum(t, 4 * r);
          const float32x4_t sum = vmulq_n_f32(vcvtq_f32_s32(sums[t][r]), *part.scales(t));
          const float32x4_t scaled = vfmaq_f32(vld1q_f32(y), scale, sum);
          vst1q_f32(y, vfmaq_n_f32(scaled, minimum, part.totals(t)[half]));
        }
      }
      block += block_bytes(Kind::int4, kInt4Group);
    }
  }
};

// All rows of a strip and some tokens, in tiles whose sums fill half of the 32 registers.
template <class Form>
void multiply_group(Part part, std::size_t rows, std::size_t tokens) {
  if (tokens == 1 && rows == 64) return Form::template run<1, 16>(part);
  if (tokens == 1 && rows == 32) return Form::template run<1, 8>(part);
  for (std::size_t strip = 0; strip < rows / 16; ++strip, part.row += 16) {
    Part tile = part;
    std::size_t left = tokens;
    for (; left >= 4; left -= 4, tile.record += 4 * tile.stride, tile.sums += 4 * kBlockRows)
      Form::template run<4, 4>(tile);
    switch (left) {
      case 1: Form::template run<1, 4>(tile); break;
      case 2: Form::template run<2, 4>(tile); break;
      case 3: Form::template run<3, 4>(tile); break;
    }
  }
}

template <class Form>
void walk(Part part, std::size_t bytes, std::size_t rows, std::size_t tokens) {
  for (; part.group < part.groups; ++part.group, part.weights += bytes)
    multiply_group<Form>(part, rows, tokens);
}

template <class Form>
void product(const Product& p) {
  multiply_in_groups<Lanes>(p, walk<Form>);
}

}  // namespace

}  // namespace loquent
