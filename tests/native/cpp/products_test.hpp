// Products of every instruction set of this machine, beside those of the scalar one.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "buffer.hpp"
#include "check.hpp"
#include "kernels.hpp"

namespace loquent {

// What weights and activations hold. Scales of `whole` and `extreme` are powers of two, small enough for
// every sum to be a float exactly: results are then equal bit for bit, in any order of additions.
enum class Numbers { whole, extreme, any };

class ProductTest {
 public:
  ProductTest(Kind kind, Numbers numbers, std::size_t rows, std::size_t columns, const Kernels& scalar)
      : numbers_(numbers), scalar_(scalar), stride_(round_up(rows, kBlockRows) + 5) {
    matrix_.kind = kind, matrix_.rows = rows, matrix_.columns = round_up(columns, kGroup);
    weights_.reserve(matrix_bytes(kind, rows, columns));
    matrix_.data = weights_.data();
    for (std::size_t i = 0; i < matrix_.padded_rows() / kBlockRows; ++i)
      fill_block(weights_.data() + i * block_bytes(kind, matrix_.columns));
    if (kind == Kind::int8)
      for (std::size_t n = 0; n < matrix_.padded_rows(); ++n)
        const_cast<float*>(matrix_.scales())[n] = scale();
    for (std::size_t n = 0; n < matrix_.padded_rows(); ++n) bias_.push_back(float(code(50)));
    x_.resize(kMost * matrix_.columns);
    for (std::size_t i = 0; i < x_.size(); i += kGroup) fill_group(x_.data() + i);
    expected_ = multiply(scalar, kMost, 64, false);
    expected_added_ = multiply(scalar, kMost, 64, true);
    most_ = 0.0f;
    for (const float y : expected_added_) most_ = std::max(most_, std::fabs(y));
  }

  // Gives the number of cases, each a product of all rows in strips of one size.
  std::size_t run(const Kernels& kernels) const {
    check_records(kernels);
    std::size_t cases = 0;
    for (const bool add : {false, true}) {
      const std::vector<float>& expected = add ? expected_added_ : expected_;
      const std::vector<float> all = multiply(kernels, kMost, 64, add);
      for (std::size_t i = 0; i < all.size(); ++i)
        CHECK(exact() ? all[i] == expected[i] : std::fabs(all[i] - expected[i]) <= 1e-5f * most_);
      for (const std::size_t tokens : {1, 2, 3, 4, 5, 6, 7, 8, 9, 64, 67})
        for (const std::size_t strip : {16, 32, 64}) {  // a row's bits depend on neither
          const std::vector<float> some = multiply(kernels, tokens, strip, add);
          CHECK(!std::memcmp(some.data(), all.data(), tokens * stride_ * sizeof(float)));
          CHECK(std::all_of(some.begin() + std::ptrdiff_t(tokens * stride_), some.end(),
                            [](float y) { return y == kUntouched; }));
          ++cases;
        }
    }
    return cases;
  }

 private:
  static constexpr std::size_t kMost = 64 + 3;  // tokens
  static constexpr float kUntouched = 12345.0f;

  bool exact() const {
    return numbers_ != Numbers::any && (matrix_.kind == Kind::int8 || matrix_.kind == Kind::int4);
  }
  int code(int most) { return int(random_() % unsigned(2 * most + 1)) - most; }
  float normal() { return std::normal_distribution<float>()(random_); }
  float scale() {
    if (numbers_ == Numbers::any) return 0.01f * (1.5f + 0.1f * std::tanh(normal()));
    return numbers_ == Numbers::extreme ? 1.0f : std::ldexp(1.0f, code(2));
  }

  void fill_block(std::byte* block) {
    const std::size_t count = matrix_.columns * kBlockRows;
    std::uint16_t* halves = reinterpret_cast<std::uint16_t*>(block);
    std::uint8_t* bytes = reinterpret_cast<std::uint8_t*>(block);
    const bool most = numbers_ == Numbers::extreme;
    switch (matrix_.kind) {
      case Kind::f32:
        for (std::size_t i = 0; i < count; ++i) reinterpret_cast<float*>(block)[i] = normal();
        break;
      case Kind::bf16:
        for (std::size_t i = 0; i < count; ++i) halves[i] = to_bf16(normal());
        break;
      case Kind::int8:
        for (std::size_t i = 0; i < count; ++i)
          bytes[i] = std::uint8_t(most ? (i / 4 % 2 ? -127 : 127) : code(127));
        break;
      case Kind::int4:
        for (std::size_t i = 0; i < count / 2; ++i)
          bytes[4 * kBlockRows + i % (16 * kBlockRows)] = std::uint8_t(most ? 255 : random_()),
          bytes += i % (16 * kBlockRows) == 16 * kBlockRows - 1 ? 20 * kBlockRows : 0;
        for (std::size_t i = 0; i < matrix_.columns / kInt4Group; ++i, halves += 10 * kBlockRows)
          for (std::size_t row = 0; row < kBlockRows; ++row) {
            halves[row] = to_half(scale()).bits;
            halves[kBlockRows + row] = to_half(-scale() * float(3 + code(2))).bits;
          }
    }
  }

  // Whole numbers have 127 or -127 among them, so that the group's scale is the power of two that they
  // were multiplied with.
  void fill_group(float* x) {
    const float factor = numbers_ == Numbers::whole ? std::ldexp(1.0f, code(1)) : 1.0f;
    const int sign = code(1);
    for (std::size_t i = 0; i < kGroup; ++i) {
      const bool most = numbers_ == Numbers::extreme || i == 17;
      x[i] = numbers_ == Numbers::any ? normal() : factor * float(most ? (sign < 0 ? -127 : 127) : code(127));
    }
  }

  Buffer<std::byte> encode(const Kernels& kernels, std::size_t tokens) const {
    Buffer<std::byte> records;
    records.reserve(tokens * code_stride(matrix_.columns));
    for (std::size_t t = 0; t < tokens; ++t)
      kernels.encode[std::size_t(matrix_.kind)](x_.data() + t * matrix_.columns, matrix_.columns,
                                                records.data() + t * code_stride(matrix_.columns));
    return records;
  }

  // Numbers of a record that do not depend on the instruction set.
  void check_records(const Kernels& kernels) const {
    Buffer<std::byte> own = encode(kernels, kMost), scalar = encode(scalar_, kMost);
    const bool floats = matrix_.kind == Kind::f32 || matrix_.kind == Kind::bf16;
    const std::size_t columns = matrix_.columns, stride = code_stride(columns);
    const std::size_t bytes = 4 * (floats ? columns : columns / kGroup + columns / kInt4Group);
    for (std::size_t t = 0; t < kMost; ++t)
      CHECK(!std::memcmp(own.data() + t * stride, scalar.data() + t * stride, bytes));
  }

  std::vector<float> multiply(const Kernels& kernels, std::size_t tokens, std::size_t strip,
                              bool add) const {
    Buffer<std::byte> records = encode(kernels, tokens);
    Matrix matrix = matrix_;
    if (add) matrix.bias = bias_.data();
    std::vector<float> out(kMost * stride_, kUntouched);
    if (add)
      for (std::size_t t = 0; t < tokens; ++t)
        for (std::size_t n = 0; n < matrix.padded_rows(); ++n) out[t * stride_ + n] = float(n % 7 + t);
    for (std::size_t row = 0; row < matrix.padded_rows(); row += strip)
      kernels.product[std::size_t(matrix.kind)](
          {&matrix, row, strip, records.data(), tokens, out.data() + row, stride_, add});
    return out;
  }

  const Numbers numbers_;
  const Kernels& scalar_;
  const std::size_t stride_;  // of `out`: rows and a few numbers that nobody may touch
  std::mt19937 random_{5};
  Matrix matrix_;
  Buffer<std::byte> weights_;
  std::vector<float> bias_, x_, expected_, expected_added_;
  float most_;
};

// Gives the number of cases.
inline std::size_t test_products(const Kernels& kernels, const Kernels& scalar) {
  std::size_t cases = 0;
  for (const Kind kind : {Kind::f32, Kind::bf16, Kind::int8, Kind::int4})
    for (const Numbers numbers : {Numbers::whole, Numbers::extreme, Numbers::any})
      for (const auto& [rows, columns] : {std::pair{1, 1}, {70, 40}, {100, 130}, {64, 323}})
        cases += ProductTest(kind, numbers, std::size_t(rows), std::size_t(columns), scalar).run(kernels);
  return cases;
}

}  // namespace loquent
