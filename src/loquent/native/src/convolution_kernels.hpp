// Convolution along time, written once over a vector type: some outputs and many steps at once, whose sums
// stay in registers while all channels and taps are added up.
#pragma once

#include "kernels.hpp"
#include "unroll.hpp"

namespace loquent {

template <class V, std::size_t rows, std::size_t vectors>
inline void put_sums(const Convolve& c, const V (&sums)[rows][vectors], std::size_t row, std::size_t at) {
  const V scale = V::set(c.scale), slope = V::set(c.slope);
  const std::size_t count = c.rows - row < rows ? c.rows - row : rows;
  UNROLL for (std::size_t r = 0; r < rows; ++r) {
    if (r >= count) break;
    UNROLL for (std::size_t i = 0; i < vectors; ++i) {
      const std::size_t place = (row + r) * c.out_stride + at + i * V::width;
      V y = sums[r][i] + V::set(c.bias[row + r]);
      for (const float* added : c.added) {
        if (!added) break;
        y = y + V::load(added + place);
      }
      y = y * scale;
      if (c.out) y.store(c.out + place);
      if (c.bent) V::max(y, y * slope).store(c.bent + place);
    }
  }
}

template <class V, std::size_t rows, std::size_t vectors>
inline void convolve_block(const Convolve& c, std::size_t row, std::size_t at) {
  V sums[rows][vectors];
  UNROLL for (std::size_t r = 0; r < rows; ++r)
    UNROLL for (std::size_t i = 0; i < vectors; ++i) sums[r][i] = V::set(0.0f);
  const float* weight = c.kernel + row;
  const std::size_t taps = c.taps, dilation = c.dilation, stride = c.stride;
  const float* x = c.x + at;
  for (std::size_t channel = 0; channel < c.channels; ++channel, x += stride) {
    const float* from = x;
    for (std::size_t tap = 0; tap < taps; ++tap, from += dilation, weight += kConvolvedRows) {
      V values[vectors];
      UNROLL for (std::size_t i = 0; i < vectors; ++i) values[i] = V::load(from + i * V::width);
      UNROLL for (std::size_t r = 0; r < rows; ++r)
        UNROLL for (std::size_t i = 0; i < vectors; ++i)
          sums[r][i] = V::fma(V::set(weight[r]), values[i], sums[r][i]);
    }
  }
  put_sums<V, rows, vectors>(c, sums, row, at);
}

template <class V, std::size_t rows>
void convolve_rows(const Convolve& c, std::size_t row) {
  std::size_t at = 0;
  for (; at + 3 * V::width <= c.steps; at += 3 * V::width) convolve_block<V, rows, 3>(c, row, at);
  for (; at < c.steps; at += V::width) convolve_block<V, rows, 1>(c, row, at);
}

template <class V>
void convolve(const Convolve& c) {
  constexpr std::size_t rows = V::width == 8 ? 4 : 8;  // 12 sums in 16 registers, 24 in 32
  if (c.rows == 1) return convolve_rows<V, 1>(c, 0);
  for (std::size_t row = 0; row < c.rows; row += rows) convolve_rows<V, rows>(c, row);
}

template <class V>
void bend(const float* x, float slope, float* out, std::size_t count) {
  const V factor = V::set(slope);
  for (std::size_t i = 0; i < count; i += V::width) {
    const V value = V::load(x + i);
    V::max(value, value * factor).store(out + i);
  }
}

}  // namespace loquent
