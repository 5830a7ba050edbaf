// Single maps of vectors, for graphs that are executed step by step: a norm, packed weights, a bias and an
// activation in one pass; and the convolution of each channel by itself.
#pragma once

#include <optional>
#include <string>

#include "buffer.hpp"
#include "kernels.hpp"

namespace loquent {

struct MapParts {  // nullptr: there is none
  const float* weights = nullptr;  // rows x columns
  const float* bias = nullptr;     // rows
  const float* norm_weight = nullptr;  // columns
  const float* norm_bias = nullptr;    // columns
};

// y = f(W norm(x) + b) for each of some vectors, on the thread that asks.
class Map {
 public:
  Map(const MapParts& parts, std::size_t rows, std::size_t columns, Kind kind, float epsilon,
      std::optional<Activation> activation, const std::string& instruction_set);

  std::size_t rows() const { return matrix_.rows; }
  std::size_t columns() const { return columns_; }
  std::size_t stride() const { return matrix_.padded_rows(); }

  // `x`: count x columns; `out`: count x stride.
  void apply(const float* x, std::size_t count, float* out) const;

  // The same between arrays of which each column is a vector: `x`, if `in`, is columns x count, and `out`,
  // if `across`, rows x count, to which `residual` (the same, or nullptr) is added.
  struct Layout {
    bool in = false, across = false;
    const float* residual = nullptr;
  };
  void apply(const float* x, std::size_t count, float* out, const Layout& layout) const;

 private:
  const float* normed(const float* x, float* vector) const;
  void turn(const float* tile, std::size_t tokens, std::size_t first, std::size_t count, const Layout& layout,
            float* out) const;

  const Kernels& table_;
  std::size_t columns_;  // as they are, not padded
  Matrix matrix_;
  std::optional<Activation> activation_;
  std::optional<Norm> norm_;
  Buffer<std::byte> data_;
  Buffer<float> bias_, norm_weight_, norm_bias_;
};

// x * Phi(x) for each of `count` numbers, in place.
void gelu(float* x, std::size_t count, const std::string& instruction_set);

struct Channels {
  std::size_t channels, length;
  std::size_t taps, dilation, before;  // `before`: zeros in front of the first value
  std::size_t steps;                   // of the result
};

// out[c][t] = bias[c] + sum over taps k of kernel[c][k] * x[c][t + k * dilation - before].
void convolve_channels(const Channels& size, const float* x, const float* kernel, const float* bias,
                       float* out);

}  // namespace loquent
