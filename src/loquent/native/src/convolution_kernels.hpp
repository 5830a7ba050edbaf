// Convolution along time, written once over a vector type: four outputs and many steps at once, whose sums
// stay in registers while all channels and taps are added up.
#pragma once

#include "kernels.hpp"
#include "unroll.hpp"

namespace loquent {

template <class V>
void convolve(const Convolve& c) {
  constexpr std::size_t vectors = V::width == 8 ? 3 : 6;  // 12 sums in 16 registers, 24 in 32
  static_assert(kConvolvedSteps % (vectors * V::width) == 0);
  for (std::size_t at = 0; at < kConvolvedSteps; at += vectors * V::width) {
    V sums[kConvolvedRows][vectors];
    UNROLL for (std::size_t r = 0; r < kConvolvedRows; ++r)
      UNROLL for (std::size_t i = 0; i < vectors; ++i) sums[r][i] = V::set(0.0f);
    const float* weight = c.kernel;
    for (std::size_t channel = 0; channel < c.channels; ++channel) {
      const float* x = c.x + channel * c.stride + at;
      for (std::size_t tap = 0; tap < c.taps; ++tap, x += c.dilation, weight += kConvolvedRows) {
        V values[vectors];
        UNROLL for (std::size_t i = 0; i < vectors; ++i) values[i] = V::load(x + i * V::width);
        UNROLL for (std::size_t r = 0; r < kConvolvedRows; ++r)
          UNROLL for (std::size_t i = 0; i < vectors; ++i)
            sums[r][i] = V::fma(V::set(weight[r]), values[i], sums[r][i]);
      }
    }
    UNROLL for (std::size_t r = 0; r < kConvolvedRows; ++r)
      UNROLL for (std::size_t i = 0; i < vectors; ++i)
        sums[r][i].store(c.out + r * kConvolvedSteps + at + i * V::width);
  }
}

}  // namespace loquent
