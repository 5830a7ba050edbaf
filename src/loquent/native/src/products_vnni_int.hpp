// Weights in codes of 8 and 4 bits times a tile of tokens, for products_vnni.hpp.
#pragma once

#include <cstring>

#include "products.hpp"
#include "unroll.hpp"

namespace loquent {

namespace {

// Loops over columns are not unrolled.
#define ROLLED _Pragma("GCC unroll 1")

// Where GCC 12 would keep a second copy of a sum in memory. (The test's vectors are in no registers.)
#ifndef SETTLE
#define SETTLE(sum) __asm__("" : "+v"(sum))
#endif

constexpr std::size_t kStep = kBlockRows * 4;  // bytes

// A group of a block's weights as bytes without sign, which is written out once for many tokens.
struct Stage {
  alignas(64) std::byte weights[kGroup / 4][kStep];
};

inline std::int32_t correction(const Part& part, std::size_t t) {
  const std::byte* behind = part.record + t * part.stride + part.values + part.groups * kGroup;
  return reinterpret_cast<const std::int32_t*>(behind)[part.group];
}

inline std::int32_t four_codes(const std::byte* x) {
  std::int32_t bits;
  std::memcpy(&bits, x, sizeof bits);
  return bits;
}

// Asks for what falls to four columns of a tile's share, as evenly as it is waited for, and into the second
// cache, for which a processor does not wait.
[[gnu::always_inline]] inline void ask(const Part& part, std::size_t column) {
  const std::size_t end = (column + 4) * part.share / kGroup;
  for (std::size_t at = round_up(column * part.share / kGroup, 64); at < end; at += 64)
    __builtin_prefetch(part.ahead + at, 0, 2);
}

// sums += the products of weights with four codes of each token.
template <class V, std::size_t T, std::size_t R>
[[gnu::always_inline]] inline void add_four(V (&sums)[T][R], const V (&weights)[R],
                                            const std::byte* const (&x)[T], std::size_t k) {
  UNROLL for (std::size_t t = 0; t < T; ++t) {
    const V four = V::set(four_codes(x[t] + k));
    UNROLL for (std::size_t r = 0; r < R; ++r) sums[t][r] = V::dot(sums[t][r], weights[r], four);
  }
}

// Some columns of a group, whose weights `read` makes bytes without sign of.
template <bool asks, std::size_t T, std::size_t R, class V, class Read>
[[gnu::always_inline]] inline void add_columns(V (&sums)[T][R], const Part& part, std::size_t first,
                                               std::size_t count, const std::byte* w, Read read) {
  const std::byte* x[T];
  UNROLL for (std::size_t t = 0; t < T; ++t) x[t] = part.codes(t) + first;
  ROLLED for (std::size_t k = 0; k < count; k += 4, w += kStep) {
    if (asks) ask(part, first + k);
    V weights[R];
    UNROLL for (std::size_t r = 0; r < R; ++r) weights[r] = read(w + r * sizeof(V));
    add_four(sums, weights, x, k);
  }
}

template <class V>
struct ProductInt8 : V {
  static void prepare(const Part& part, Stage& stage) {
    for (std::size_t i = 0; i < sizeof stage.weights; i += sizeof(V))
      flipped(part.weights + i).store(stage.weights[0] + i);
  }

  // A part of one's own cannot change by what is written.
  template <std::size_t T, std::size_t R>
  [[gnu::noinline]] static void run(const Part& given) {
    const Part part = given;
    run<(T > 1), T, R>(part, part.weights, flipped);  // a processor follows a single token's stream by itself
  }
  template <std::size_t T, std::size_t R>
  [[gnu::noinline]] static void run(const Part& given, const Stage& stage) {
    const Part part = given;
    prefetch<2>(part.ahead, part.share);
    run<false, T, R>(part, stage.weights[0], V::load);
  }

 private:
  static V flipped(const std::byte* weights) { return V::load(weights).flip(); }

  template <bool asks, std::size_t T, std::size_t R, class Read>
  [[gnu::always_inline]] static inline void run(const Part& part, const std::byte* weights, Read read) {
    using Lanes = typename V::Lanes;
    V sums[T][R];
    UNROLL for (std::size_t t = 0; t < T; ++t)
      UNROLL for (std::size_t r = 0; r < R; ++r) sums[t][r] = V::set(correction(part, t));
    add_columns<asks>(sums, part, 0, kGroup, weights + part.row * 4, read);
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
  static constexpr std::size_t half_bytes = block_bytes(Kind::int4, kInt4Group);

  static void prepare(const Part& part, Stage& stage) {
    std::byte* out = stage.weights[0];
    for (std::size_t half = 0; half < kGroup / kInt4Group; ++half) {
      const std::byte* w = codes(part, half);
      for (std::size_t k = 0; k < kInt4Group; k += 8, w += kStep, out += 2 * kStep)
        for (std::size_t i = 0; i < kStep; i += sizeof(V)) {
          const V bytes = V::load(w + i);
          bytes.low().store(out + i), bytes.high().store(out + kStep + i);
        }
    }
  }

  template <std::size_t T, std::size_t R>
  [[gnu::noinline]] static void run(const Part& given) {
    const Part part = given;
    UNROLL for (std::size_t half = 0; half < kGroup / kInt4Group; ++half) {
      const std::byte* w = codes(part, half) + part.row * 4;
      const std::byte* x[T];
      V sums[T][R];
      UNROLL for (std::size_t t = 0; t < T; ++t) x[t] = part.codes(t) + half * kInt4Group;
      clear(sums);
      ROLLED for (std::size_t k = 0; k < kInt4Group; k += 8, w += kStep)
        UNROLL for (std::size_t high = 0; high < 2; ++high) {
          V weights[R];
          UNROLL for (std::size_t r = 0; r < R; ++r) {
            const V bytes = V::load(w + r * sizeof(V));
            weights[r] = high ? bytes.high() : bytes.low();
          }
          ask(part, half * kInt4Group + k + 4 * high);
          add_four(sums, weights, x, k + 4 * high);
        }
      finish(part, half, sums);
    }
  }
  template <std::size_t T, std::size_t R>
  [[gnu::noinline]] static void run(const Part& given, const Stage& stage) {
    const Part part = given;
    prefetch<2>(part.ahead, part.share);
    for (std::size_t half = 0; half < kGroup / kInt4Group; ++half) {
      V sums[T][R];
      clear(sums);
      const std::byte* w = stage.weights[half * kInt4Group / 4] + part.row * 4;
      add_columns<false>(sums, part, half * kInt4Group, kInt4Group, w, V::load);
      finish(part, half, sums);
    }
  }

 private:
  static const std::byte* codes(const Part& part, std::size_t half) {
    return part.weights + half * half_bytes + 4 * kBlockRows;
  }

  template <std::size_t T, std::size_t R>
  [[gnu::always_inline]] static inline void clear(V (&sums)[T][R]) {
    UNROLL for (std::size_t t = 0; t < T; ++t)
      UNROLL for (std::size_t r = 0; r < R; ++r) sums[t][r] = V::set(0);
  }

  template <std::size_t T, std::size_t R>
  [[gnu::always_inline]] static inline void finish(const Part& part, std::size_t half,
                                                   const V (&sums)[T][R]) {
    using Lanes = typename V::Lanes;
    const Half* halves = reinterpret_cast<const Half*>(part.weights + half * half_bytes) + part.row;
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

}  // namespace

}  // namespace loquent
