// Products of a block's rows with some tokens, by processors that add four products of bytes to a sum at
// once (VNNI): one group of columns after the other, so that weights are read once and in order.
//
// Written once over a vector type. V holds V::Lanes::width numbers of 32 bits, or four times as many
// codes, and offers load, set (32 bits in every lane), flip (the sign bits of codes), low and high (halves
// of bytes), even and odd (upper halves of floats), floats (of whole numbers), total (of all lanes), and
// dot(sums, weights, x): sums + the products of four unsigned with four signed codes in each lane. A tile
// of several tokens has up to V::tile_vectors vectors of rows and V::tile_tokens tokens.
#pragma once

#include <cstring>

#include "products.hpp"

namespace loquent {

namespace {

// Loops over a tile are unrolled, so that its sums stay in registers; those over columns are not.
#define UNROLL _Pragma("GCC unroll 8")
#define ROLLED _Pragma("GCC unroll 1")

// Where GCC 12 would keep a second copy of a sum in memory. (The test's vectors are in no registers.)
#ifndef SETTLE
#define SETTLE(sum) __asm__("" : "+v"(sum))
#endif

constexpr std::size_t kStep = kBlockRows * 4;  // bytes

// Codes in the order of the columns, and behind them a correction for each group. Weights of 8 bits are
// signed, but the first factor of the products is not: with the sign bit flipped it is weight + 128. The
// sum of the products is then too large by 128 times the sum of the group's codes, exactly.
template <class V>
void encode_int(const float* x, std::size_t columns, std::byte* record) {
  avx2_kernels().encode[std::size_t(Kind::int8)](x, columns, record);
  const std::byte* codes = record + code_values(columns);
  std::int32_t* corrections = reinterpret_cast<std::int32_t*>(record + code_values(columns) + columns);
  const V ones = V::set(0x01010101);
  for (std::size_t group = 0; group < columns / kGroup; ++group, codes += kGroup) {
    V sums = V::set(0);
    for (std::size_t i = 0; i < kGroup; i += sizeof(V)) sums = V::dot(sums, ones, V::load(codes + i));
    corrections[group] = -128 * sums.total();
  }
}

inline std::int32_t correction(const Part& part, std::size_t t) {
  const std::byte* behind = part.record + t * part.stride + part.values + part.groups * kGroup;
  return reinterpret_cast<const std::int32_t*>(behind)[part.group];
}

template <class Lanes, std::size_t T, std::size_t R>
void load(const Part& part, Lanes (&y)[T][R]) {
  UNROLL for (std::size_t t = 0; t < T; ++t)
    UNROLL for (std::size_t r = 0; r < R; ++r) y[t][r] = Lanes::load(part.sum(t, r * Lanes::width));
}

template <class Lanes, std::size_t T, std::size_t R>
void store(const Part& part, const Lanes (&y)[T][R]) {
  UNROLL for (std::size_t t = 0; t < T; ++t)
    UNROLL for (std::size_t r = 0; r < R; ++r) y[t][r].store(part.sum(t, r * Lanes::width));
}

inline std::int32_t four_codes(const std::byte* x) {
  std::int32_t bits;
  std::memcpy(&bits, x, sizeof bits);
  return bits;
}

template <class V>
struct ProductF32 : V {
  template <std::size_t T, std::size_t R>
  [[gnu::noinline]] static void run(const Part& part) {
    using Lanes = typename V::Lanes;
    const float* w = reinterpret_cast<const float*>(part.weights) + part.row;
    const float* x[T];
    UNROLL for (std::size_t t = 0; t < T; ++t) x[t] = part.floats(t);
    Lanes sums[T][R];
    load(part, sums);
    for (std::size_t k = 0; k < kGroup; ++k, w += kBlockRows) {
      Lanes weights[R];
      UNROLL for (std::size_t r = 0; r < R; ++r) weights[r] = Lanes::load(w + r * Lanes::width);
      UNROLL for (std::size_t t = 0; t < T; ++t) {
        const Lanes value = Lanes::set(x[t][k]);
        UNROLL for (std::size_t r = 0; r < R; ++r)
          sums[t][r] = Lanes::fma(weights[r], value, sums[t][r]);
      }
    }
    store(part, sums);
  }
};

template <class V>
struct ProductBf16 : V {
  template <std::size_t T, std::size_t R>
  [[gnu::noinline]] static void run(const Part& part) {
    using Lanes = typename V::Lanes;
    const std::byte* w = part.weights + part.row * 4;
    const float* x[T];
    UNROLL for (std::size_t t = 0; t < T; ++t) x[t] = part.floats(t);
    Lanes sums[T][R];
    load(part, sums);
    for (std::size_t k = 0; k < kGroup; k += 2, w += kStep)
      UNROLL for (std::size_t odd = 0; odd < 2; ++odd) {
        Lanes weights[R];
        UNROLL for (std::size_t r = 0; r < R; ++r) {
          const V pairs = V::load(w + r * sizeof(V));
          weights[r] = odd ? pairs.odd() : pairs.even();
        }
        UNROLL for (std::size_t t = 0; t < T; ++t) {
          const Lanes value = Lanes::set(x[t][k + odd]);
          UNROLL for (std::size_t r = 0; r < R; ++r)
            sums[t][r] = Lanes::fma(weights[r], value, sums[t][r]);
        }
      }
    store(part, sums);
  }
};

template <class V>
struct ProductInt8 : V {
  template <std::size_t T, std::size_t R>
  [[gnu::noinline]] static void run(const Part& part) {
    using Lanes = typename V::Lanes;
    const std::byte* w = part.weights + part.row * 4;
    const std::byte* x[T];
    V sums[T][R];
    UNROLL for (std::size_t t = 0; t < T; ++t) {
      x[t] = part.codes(t);
      UNROLL for (std::size_t r = 0; r < R; ++r) sums[t][r] = V::set(correction(part, t));
    }
    ROLLED for (std::size_t k = 0; k < kGroup; k += 4, w += kStep) {
      V weights[R];
      UNROLL for (std::size_t r = 0; r < R; ++r) weights[r] = V::load(w + r * sizeof(V)).flip();
      UNROLL for (std::size_t t = 0; t < T; ++t) {
        const V four = V::set(four_codes(x[t] + k));
        UNROLL for (std::size_t r = 0; r < R; ++r) sums[t][r] = V::dot(sums[t][r], weights[r], four);
      }
    }
    UNROLL for (std::size_t t = 0; t < T; ++t) {
      const Lanes scale = Lanes::set(*part.scales(t));
      UNROLL for (std::size_t r = 0; r < R; ++r) {
        float* y = part.sum(t, r * Lanes::width);
        Lanes::fma(sums[t][r].floats(), scale, Lanes::load(y)).store(y);
      }
    }
  }
};

template <class V>
struct ProductInt4 : V {
  template <std::size_t T, std::size_t R>
  [[gnu::noinline]] static void run(const Part& part) {
    const std::byte* block = part.weights;
    for (std::size_t half = 0; half < kGroup / kInt4Group; ++half) {
      run_half<T, R>(part, block, half);
      block += block_bytes(Kind::int4, kInt4Group);
    }
  }

 private:
  template <std::size_t T, std::size_t R>
  [[gnu::always_inline]] static inline void run_half(const Part& part, const std::byte* block,
                                                     std::size_t half) {
    using Lanes = typename V::Lanes;
    const std::byte* w = block + 4 * kBlockRows + part.row * 4;
    const std::byte* x[T];
    V sums[T][R];
    UNROLL for (std::size_t t = 0; t < T; ++t) {
      x[t] = part.codes(t) + half * kInt4Group;
      UNROLL for (std::size_t r = 0; r < R; ++r) sums[t][r] = V::set(0);
    }
    ROLLED for (std::size_t k = 0; k < kInt4Group; k += 8, w += kStep)
      UNROLL for (std::size_t high = 0; high < 2; ++high) {
        V weights[R];
        UNROLL for (std::size_t r = 0; r < R; ++r) {
          const V bytes = V::load(w + r * sizeof(V));
          weights[r] = high ? bytes.high() : bytes.low();
        }
        UNROLL for (std::size_t t = 0; t < T; ++t) {
          const V four = V::set(four_codes(x[t] + k + 4 * high));
          UNROLL for (std::size_t r = 0; r < R; ++r) sums[t][r] = V::dot(sums[t][r], weights[r], four);
        }
      }
    const Half* halves = reinterpret_cast<const Half*>(block) + part.row;
    UNROLL for (std::size_t r = 0; r < R; ++r) {
      const Lanes scale = Lanes::load(halves + r * Lanes::width);
      const Lanes minimum = Lanes::load(halves + kBlockRows + r * Lanes::width);
      UNROLL for (std::size_t t = 0; t < T; ++t) {
        float* y = part.sum(t, r * Lanes::width);
        const Lanes sum = sums[t][r].floats() * Lanes::set(*part.scales(t));
        const Lanes scaled = Lanes::fma(scale, sum, Lanes::load(y));
        Lanes::fma(minimum, Lanes::set(part.totals(t)[half]), scaled).store(y);
      }
    }
  }
};

// A tile of up to T tokens.
template <class Form, std::size_t T, std::size_t R>
[[gnu::always_inline]] inline void run_tile(const Part& part, std::size_t tokens) {
  if (tokens == T) return Form::template run<T, R>(part);
  if constexpr (T > 1) run_tile<Form, T - 1, R>(part, tokens);
}

// All rows of a strip, R vectors at a time, and several tokens, in tiles of about equal size whose sums
// fit into registers.
template <class Form, std::size_t R>
void multiply_group(Part part, std::size_t bytes, std::size_t rows, std::size_t tokens) {
  constexpr std::size_t tile_rows = R * Form::Lanes::width;
  const std::size_t tiles = (tokens + Form::tile_tokens - 1) / Form::tile_tokens;
  for (std::size_t at = 0; at < rows; at += tile_rows, part.row += tile_rows) {
    Part tile = part;
    std::size_t left = tokens;
    for (std::size_t i = 0; i < tiles; ++i) {
      prefetch(part.weights, bytes, at / tile_rows * tiles + i, rows / tile_rows * tiles);
      const std::size_t count = (left + tiles - i - 1) / (tiles - i);
      run_tile<Form, Form::tile_tokens, R>(tile, count);
      tile.record += count * tile.stride, tile.sums += count * kBlockRows, left -= count;
    }
  }
}

template <class Form, std::size_t R>
void multiply_groups(Part part, std::size_t bytes, std::size_t rows, std::size_t tokens) {
  for (; part.group < part.groups; ++part.group, part.weights += bytes)
    if (tokens == 1)  // all rows at a time
      Form::template run<1, R>(part);
    else
      multiply_group<Form, (R < Form::tile_vectors ? R : Form::tile_vectors)>(part, bytes, rows, tokens);
}

template <class Form>
void walk(Part part, std::size_t bytes, std::size_t rows, std::size_t tokens) {
  constexpr std::size_t width = Form::Lanes::width;
  switch (rows) {
    case 16: return multiply_groups<Form, 16 / width>(part, bytes, rows, tokens);
    case 32: return multiply_groups<Form, 32 / width>(part, bytes, rows, tokens);
    case 64: return multiply_groups<Form, 64 / width>(part, bytes, rows, tokens);
  }
}

template <class Form>
void product(const Product& p) {
  multiply_in_groups<typename Form::Lanes>(p, walk<Form>);
}

}  // namespace

}  // namespace loquent
