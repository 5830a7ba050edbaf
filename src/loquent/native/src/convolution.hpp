// The convolution of a sequence of vectors along time, with what stands before and behind it in one pass.
#pragma once

#include "kernels.hpp"

namespace loquent {

struct Convolution {
  std::size_t channels, outputs, length;
  std::size_t taps, dilation, before;  // `before`: zeros in front of the first value
  std::size_t steps;                   // of the result
  float slope;                         // negative values count so many times, from 0 to 1
  const float* x;                      // [channels][length]
  const float* kernel;                 // [outputs][channels][taps]
  const float* bias;                   // [outputs], or nullptr
  const float* residual;               // [outputs][steps], added to the result, or nullptr
  float* out;                          // [outputs][steps]
};

// out[o][t] = bias[o] + residual[o][t] + sum over c, k of kernel[o][c][k] * leaky(x[c][t + k * dilation - before]).
void convolve(const Convolution& task, const Kernels& kernels);

}  // namespace loquent
