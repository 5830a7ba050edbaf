// Single maps of vectors, and the convolution of each channel by itself.
#include "maps.hpp"

#include <algorithm>

#include "isa.hpp"
#include "quantize.hpp"

namespace loquent {

namespace {

constexpr std::size_t kTile = 64;    // vectors that are encoded and multiplied together
constexpr std::size_t kActivated = 16;  // numbers at once
constexpr std::size_t kApart = 16;   // numbers between rows that are turned, so that they fall on many sets

void copy(const float* from, std::size_t count, Buffer<float>& to, std::size_t padded) {
  to.reserve(padded);
  std::copy_n(from, count, to.data());
}

}  // namespace

Map::Map(const MapParts& parts, std::size_t rows, std::size_t columns, Kind kind, float epsilon,
         std::optional<Activation> activation, const std::string& instruction_set)
    : table_(kernels(instruction_set)), columns_(columns), activation_(activation) {
  matrix_.kind = kind, matrix_.rows = rows, matrix_.columns = round_up(columns, kGroup);
  data_.reserve(matrix_bytes(kind, rows, columns));
  Pool pool(1);
  pack_matrix(parts.weights, rows, columns, kind, data_.data(), pool);
  matrix_.data = data_.data();
  if (parts.bias) {
    copy(parts.bias, rows, bias_, matrix_.padded_rows());
    matrix_.bias = bias_.data();
  }
  if (parts.norm_weight) {
    copy(parts.norm_weight, columns, norm_weight_, matrix_.columns);
    if (parts.norm_bias) copy(parts.norm_bias, columns, norm_bias_, matrix_.columns);
    norm_ = Norm{false, epsilon, columns, norm_weight_.data(),
                 parts.norm_bias ? norm_bias_.data() : nullptr};
  }
}

const float* Map::normed(const float* x, float* vector) const {
  if (norm_) {
    table_.norm(*norm_, x, vector);
  } else if (columns_ != matrix_.columns) {
    std::copy_n(x, columns_, vector);
  } else {
    return x;
  }
  return vector;
}

void Map::apply(const float* x, std::size_t count, float* out) const { apply(x, count, out, Layout{}); }

void Map::apply(const float* x, std::size_t count, float* out, const Layout& layout) const {
  static thread_local Buffer<std::byte> records;
  static thread_local Buffer<float> vector, taken, turned;
  const std::size_t kind = std::size_t(matrix_.kind), record = code_stride(matrix_.columns);
  const std::size_t in_stride = columns_ + (layout.in ? kApart : 0), out_stride = stride() + (layout.across ? kApart : 0);
  records.reserve(kTile * record), vector.reserve(matrix_.columns);
  std::fill(vector.data() + columns_, vector.data() + matrix_.columns, 0.0f);
  if (layout.in) taken.reserve(kTile * in_stride);
  if (layout.across) turned.reserve(kTile * out_stride);
  for (std::size_t first = 0; first < count; first += kTile) {
    const std::size_t tokens = std::min(kTile, count - first);
    const float* rows = x + first * columns_;
    if (layout.in) {
      for (std::size_t column = 0; column < columns_; ++column)
        for (std::size_t token = 0; token < tokens; ++token)
          taken.data()[token * in_stride + column] = x[column * count + first + token];
      rows = taken.data();
    }
    for (std::size_t token = 0; token < tokens; ++token)
      table_.encode[kind](normed(rows + token * in_stride, vector.data()), matrix_.columns, records.data() + token * record);
    float* to = layout.across ? turned.data() : out + first * stride();
    for (std::size_t row = 0; row < stride(); row += kBlockRows) {
      table_.product[kind]({&matrix_, row, kBlockRows, records.data(), tokens, to + row, out_stride, false});
      if (!activation_) continue;
      for (std::size_t token = 0; token < tokens; ++token)
        table_.activate[std::size_t(*activation_)](to + token * out_stride + row, kBlockRows);
    }
    if (layout.across) turn(to, tokens, first, count, layout, out);
  }
}

void Map::turn(const float* tile, std::size_t tokens, std::size_t first, std::size_t count,
               const Layout& layout, float* out) const {
  for (std::size_t row = 0; row < matrix_.rows; ++row) {
    float* to = out + row * count + first;
    for (std::size_t token = 0; token < tokens; ++token) to[token] = tile[token * (stride() + kApart) + row];
    if (!layout.residual) continue;
    const float* also = layout.residual + row * count + first;
    for (std::size_t token = 0; token < tokens; ++token) to[token] += also[token];
  }
}

void gelu(float* x, std::size_t count, const std::string& instruction_set) {
  const Kernels& table = kernels(instruction_set);
  const std::size_t whole = count / kActivated * kActivated;
  table.activate[std::size_t(Activation::gelu)](x, whole);
  float rest[kActivated] = {};
  std::copy(x + whole, x + count, rest);
  table.activate[std::size_t(Activation::gelu)](rest, kActivated);
  std::copy_n(rest, count - whole, x + whole);
}

void convolve_channels(const Channels& size, const float* x, const float* kernel, const float* bias,
                       float* out) {
  const std::ptrdiff_t length = std::ptrdiff_t(size.length), steps = std::ptrdiff_t(size.steps);
  for (std::size_t channel = 0; channel < size.channels; ++channel) {
    const float* from = x + channel * size.length;
    float* to = out + channel * size.steps;
    std::fill_n(to, size.steps, bias ? bias[channel] : 0.0f);
    for (std::size_t tap = 0; tap < size.taps; ++tap) {
      const std::ptrdiff_t shift = std::ptrdiff_t(tap * size.dilation) - std::ptrdiff_t(size.before);
      const std::ptrdiff_t start = std::max<std::ptrdiff_t>(0, -shift), end = std::min(steps, length - shift);
      const float weight = kernel[channel * size.taps + tap];
      for (std::ptrdiff_t t = start; t < end; ++t) to[t] += weight * from[t + shift];
    }
  }
}

}  // namespace loquent
