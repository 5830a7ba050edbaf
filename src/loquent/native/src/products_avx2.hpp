// Products of a block's rows with some tokens: 8 floats, 16 products of 16 bits or 32 of 8 bits at a
// time, one group of columns after the other, so that weights are read once and in order.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "lanes_avx2.hpp"
#include "products.hpp"
#include "unroll.hpp"

namespace loquent {

namespace {

inline __m256i load(const void* x) { return _mm256_loadu_si256(static_cast<const __m256i*>(x)); }

// What keeps the sums of a tile in registers (GCC 12): loops over a tile are unrolled before arrays are
// taken apart, sums are begun one by one (`= {}` keeps them in memory), and additions stay in the order
// that is written, which would otherwise be changed to one that needs more registers than there are.

inline void settle(__m256i& sum) { __asm__("" : "+x"(sum)); }

template <class V, std::size_t T, std::size_t R>
void clear(V (&sums)[T][R]) {
  UNROLL for (std::size_t t = 0; t < T; ++t)
    UNROLL for (std::size_t r = 0; r < R; ++r) sums[t][r] = V{};
}

template <std::size_t T, std::size_t R>
void load(const Part& part, __m256 (&y)[T][R]) {
  UNROLL for (std::size_t t = 0; t < T; ++t)
    UNROLL for (std::size_t r = 0; r < R; ++r) y[t][r] = _mm256_loadu_ps(part.sum(t, 8 * r));
}

template <std::size_t T, std::size_t R>
void store(const Part& part, const __m256 (&y)[T][R]) {
  UNROLL for (std::size_t t = 0; t < T; ++t)
    UNROLL for (std::size_t r = 0; r < R; ++r) _mm256_storeu_ps(part.sum(t, 8 * r), y[t][r]);
}

// Asks for the share of a later group that falls to one of a tile's steps: as evenly as it is waited for, and into
// the second cache, for which a processor does not wait. No prefetcher makes sense of a part of every 256 bytes.
template <std::size_t bytes>
[[gnu::always_inline]] inline void ask(const Part& part, std::size_t step) {
  const std::byte* later = part.ahead + step * bytes;
  UNROLL for (std::size_t i = 0; i < bytes; i += 64) __builtin_prefetch(later + i, 0, 2);
}

struct ProductF32 {
  static constexpr bool evenly = true;

  template <std::size_t T, std::size_t R>
  static void run(const Part& part) {
    const float* w = reinterpret_cast<const float*>(part.weights) + part.row;
    const float* x[T];
    UNROLL for (std::size_t t = 0; t < T; ++t) x[t] = part.floats(t);
    __m256 sums[T][R];
    load(part, sums);
    for (std::size_t k = 0; k < kGroup; ++k, w += kBlockRows) {
      if (R == 2) ask<32 * R>(part, k);
      UNROLL for (std::size_t t = 0; t < T; ++t) {
        const __m256 value = _mm256_broadcast_ss(x[t] + k);
        UNROLL for (std::size_t r = 0; r < R; ++r)
          sums[t][r] = _mm256_fmadd_ps(_mm256_loadu_ps(w + 8 * r), value, sums[t][r]);
      }
    }
    store(part, sums);
  }
};

struct ProductBf16 {
  static constexpr bool evenly = true;

  template <std::size_t T, std::size_t R>
  static void run(const Part& part) {
    const std::byte* w = part.weights + part.row * 4;
    const __m256i high = _mm256_set1_epi32(int(0xffff0000u));
    const float* x[T];
    UNROLL for (std::size_t t = 0; t < T; ++t) x[t] = part.floats(t);
    __m256 sums[T][R];
    load(part, sums);
    for (std::size_t k = 0; k < kGroup; k += 2, w += kBlockRows * 4) {
      if (R == 2) ask<32 * R>(part, k / 2);
      UNROLL for (std::size_t odd = 0; odd < 2; ++odd) {
        __m256 weights[R];
        UNROLL for (std::size_t r = 0; r < R; ++r) {
          __m256i pair = load(w + 32 * r);
          pair = odd ? _mm256_and_si256(pair, high) : _mm256_slli_epi32(pair, 16);
          weights[r] = _mm256_castsi256_ps(pair);
        }
        UNROLL for (std::size_t t = 0; t < T; ++t) {
          const __m256 value = _mm256_broadcast_ss(x[t] + k + odd);
          UNROLL for (std::size_t r = 0; r < R; ++r)
            sums[t][r] = _mm256_fmadd_ps(weights[r], value, sums[t][r]);
        }
      }
    }
    store(part, sums);
  }
};

inline __m256i four_codes(const std::byte* x) {
  int bits;
  std::memcpy(&bits, x, sizeof bits);
  return _mm256_set1_epi32(bits);
}

// Sizes of weights times activations that have taken over the weights' signs: the first factor of this
// instruction is unsigned. Sums of two, at most 2 * 127 * 127, fit into 16 bits: exact.
struct ProductInt8 {
  static constexpr bool evenly = true;

  template <std::size_t T, std::size_t R>
  static void run(const Part& part) {
    const std::byte* w = part.weights + part.row * 4;
    const __m256i ones = _mm256_set1_epi16(1);
    const std::byte* x[T];
    UNROLL for (std::size_t t = 0; t < T; ++t) x[t] = part.codes(t);
    __m256i sums[T][R];
    clear(sums);
    for (std::size_t k = 0; k < kGroup; k += 4, w += kBlockRows * 4) {
      if (R == 2) ask<32 * R>(part, k / 4);
      UNROLL for (std::size_t r = 0; r < R; ++r) {
        const __m256i codes = load(w + 32 * r), sizes = _mm256_abs_epi8(codes);
        UNROLL for (std::size_t t = 0; t < T; ++t) {
          const __m256i four = _mm256_sign_epi8(four_codes(x[t] + k), codes);
          const __m256i pairs = _mm256_maddubs_epi16(sizes, four);
          settle(sums[t][r] = _mm256_add_epi32(sums[t][r], _mm256_madd_epi16(pairs, ones)));
        }
      }
    }
    __m256 y[T][R];
    load(part, y);
    UNROLL for (std::size_t t = 0; t < T; ++t) {
      const __m256 scale = _mm256_set1_ps(*part.scales(t));
      UNROLL for (std::size_t r = 0; r < R; ++r)
        y[t][r] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[t][r]), scale, y[t][r]);
    }
    store(part, y);
  }
};

// Codes from 0 to 15 times codes of 8 bits: the sums over 32 columns, at most 8 * 2 * 15 * 127, still
// fit into 16 bits.
struct ProductInt4 {
  static constexpr bool evenly = false;

  template <std::size_t T, std::size_t R>
  static void run(const Part& part) {
    const __m256i low = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    const std::byte* x[T];
    UNROLL for (std::size_t t = 0; t < T; ++t) x[t] = part.codes(t);
    const std::byte* block = part.weights;
    for (std::size_t half = 0; half < kGroup / kInt4Group; ++half) {
      const std::byte* w = block + 4 * kBlockRows + part.row * 4;
      __m256i sums[T][R];
      clear(sums);
      for (std::size_t k = half * kInt4Group; k < (half + 1) * kInt4Group; k += 8, w += kBlockRows * 4)
        UNROLL for (std::size_t high = 0; high < 2; ++high) {
          __m256i codes[R];
          UNROLL for (std::size_t r = 0; r < R; ++r) {
            codes[r] = load(w + 32 * r);
            if (high) codes[r] = _mm256_srli_epi16(codes[r], 4);
            codes[r] = _mm256_and_si256(codes[r], low);
          }
          if (T == 1 && R == 8) ask<20 * R>(part, k / 4 + high);
          UNROLL for (std::size_t t = 0; t < T; ++t) {
            const __m256i four = four_codes(x[t] + k + 4 * high);
            UNROLL for (std::size_t r = 0; r < R; ++r)
              settle(sums[t][r] =
                         _mm256_add_epi16(sums[t][r], _mm256_maddubs_epi16(codes[r], four)));
          }
        }
      const Half* halves = reinterpret_cast<const Half*>(block) + part.row;
      __m256 y[T][R];
      load(part, y);
      UNROLL for (std::size_t r = 0; r < R; ++r) {
        const __m256 scale = Lanes::load(halves + 8 * r).v;
        const __m256 minimum = Lanes::load(halves + kBlockRows + 8 * r).v;
        UNROLL for (std::size_t t = 0; t < T; ++t) {
          const __m256 whole = _mm256_cvtepi32_ps(_mm256_madd_epi16(sums[t][r], ones));
          const __m256 sum = _mm256_mul_ps(whole, _mm256_set1_ps(*part.scales(t)));
          const __m256 total = _mm256_set1_ps(part.totals(t)[half]);
          y[t][r] = _mm256_fmadd_ps(scale, sum, y[t][r]);
          y[t][r] = _mm256_fmadd_ps(minimum, total, y[t][r]);
        }
      }
      store(part, y);
      block += block_bytes(Kind::int4, kInt4Group);
    }
  }
};

constexpr std::size_t kFarAhead = 8;  // groups

// All rows of a strip and several tokens, in tiles whose sums fit into registers. Later weights are asked for at once
// where that costs less than evenly.
template <class Form>
void multiply_group(Part part, std::size_t bytes, std::size_t rows, std::size_t tokens) {
  const std::size_t share = round_up(bytes * 16 / rows, 64);
  for (std::size_t strip = 0; strip < rows / 16; ++strip, part.row += 16) {
    if (!Form::evenly) prefetch(part.weights + kAhead * bytes + strip * share, share);
    Part tile = part;
    tile.ahead = part.weights + kFarAhead * bytes + strip * share;
    std::size_t left = tokens;
    for (; left >= 4; left -= 4, tile.record += 4 * tile.stride, tile.sums += 4 * kBlockRows) {
      Form::template run<4, 2>(tile);
      tile.ahead = part.weights;  // the first tile has asked
    }
    switch (left) {
      case 1: Form::template run<1, 2>(tile); break;
      case 2: Form::template run<2, 2>(tile); break;
      case 3: Form::template run<3, 2>(tile); break;
    }
  }
}

// One token: all rows at a time.
template <class Form, std::size_t R>
void multiply_one(Part part, std::size_t bytes) {
  for (; part.group < part.groups; ++part.group, part.weights += bytes) {
    part.ahead = part.weights + kFarAhead * bytes;
    Form::template run<1, R>(part);
  }
}

template <class Form>
void walk(Part part, std::size_t bytes, std::size_t rows, std::size_t tokens) {
  if (tokens == 1 && rows == 64) return multiply_one<Form, 8>(part, bytes);
  if (tokens == 1 && rows == 32) return multiply_one<Form, 4>(part, bytes);
  for (; part.group < part.groups; ++part.group, part.weights += bytes)
    multiply_group<Form>(part, bytes, rows, tokens);
}

template <class Form>
void product(const Product& p) {
  multiply_in_groups<Lanes>(p, walk<Form>);
}

}  // namespace

}  // namespace loquent
