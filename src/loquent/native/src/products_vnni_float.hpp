// Weights in floats or upper halves of floats times a tile of tokens, for products_vnni.hpp.
#pragma once

#include "products.hpp"
#include "unroll.hpp"

namespace loquent {

namespace {

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

template <class V>
struct ProductF32 : V {
  template <std::size_t T, std::size_t R>
  [[gnu::noinline]] static void run(const Part& part) {
    using Lanes = typename V::Lanes;
    if (T > 1) prefetch<2>(part.ahead, part.share);
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
    if (T > 1) prefetch<2>(part.ahead, part.share);
    const std::byte* w = part.weights + part.row * 4;
    const float* x[T];
    UNROLL for (std::size_t t = 0; t < T; ++t) x[t] = part.floats(t);
    Lanes sums[T][R];
    load(part, sums);
    for (std::size_t k = 0; k < kGroup; k += 2, w += 4 * kBlockRows)
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

}  // namespace

}  // namespace loquent
