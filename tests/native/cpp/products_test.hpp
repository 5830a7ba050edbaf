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
    const std::size_t blocks = matrix_bytes(kind, matrix_.rows, matrix_.columns);
    for (std::size_t n = 1; n <= matrix_.padded_rows(); ++n) {
      if (kind == Kind::int8)  // behind the blocks
        reinterpret_cast<float*>(weights_.data() + blocks)[-std::ptrdiff_t(n)] = scale();
      bias_.push_back(float(code(50)));
    }
    x_.resize(kMost * matrix_.columns);
    for (std::size_t i = 0; i < x_.size(); i += kGroup) fill_group(x_.data() + i);
    const Buffer<std::byte> records = encode(scalar);
    for (const bool add : {false, true}) expected_[add] = multiply(scalar, records, kMost, 64, add);
    for (const float y : expected_[1]) most_ = std::max(most_, std::fabs(y));
  }

  // Gives the number of cases, each a product of all rows in strips of one size.
  std::size_t run(const Kernels& kernels) const {
    const Buffer<std::byte> records = encode(kernels);
    check_records(records.data(), encode(scalar_).data());
    std::vector<float> all[2];
    for (const bool add : {false, true}) {
      all[add] = multiply(kernels, records, kMost, 64, add);
      for (std::size_t i = 0; i < all[add].size(); ++i)
        CHECK(exact() ? all[add][i] == expected_[add][i]
                      : std::fabs(all[add][i] - expected_[add][i]) <= 1e-5f * most_);
    }
    std::size_t cases = 2;
    for (const std::size_t tokens : {1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 32, 50, 64, 67})
      for (const std::size_t strip : {16, 32, 64}) {  // a row's bits depend on neither
        const bool add = ++cases % 2;
        const std::vector<float> some = multiply(kernels, records, tokens, strip, add);
        CHECK(!std::memcmp(some.data(), all[add].data(), tokens * stride_ * sizeof(float)));
        CHECK(std::all_of(some.begin() + std::ptrdiff_t(tokens * stride_), some.end(),
                          [](float y) { return y == kUntouched; }));
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
    switch (matrix_.kind) {
      case Kind::f32:
        for (std::size_t i = 0; i < count; ++i) reinterpret_cast<float*>(block)[i] = normal();
        break;
      case Kind::bf16:
        for (std::size_t i = 0; i < count; ++i)
          reinterpret_cast<std::uint16_t*>(block)[i] = to_bf16(normal());
        break;
      case Kind::int8:
        for (std::size_t i = 0; i < count; ++i)
          block[i] = std::byte(numbers_ == Numbers::extreme ? (i / 4 % 2 ? -127 : 127) : code(127));
        break;
      case Kind::int4:
        for (std::size_t i = 0; i < matrix_.columns / kInt4Group; ++i)
          fill_int4(block + i * block_bytes(Kind::int4, kInt4Group));
    }
  }
  void fill_int4(std::byte* group) {
    Half* halves = reinterpret_cast<Half*>(group);
    for (std::size_t row = 0; row < kBlockRows; ++row) {
      halves[row] = to_half(scale());
      halves[kBlockRows + row] = to_half(-scale() * float(3 + code(2)));
    }
    for (std::size_t i = 4 * kBlockRows; i < block_bytes(Kind::int4, kInt4Group); ++i)
      group[i] = std::byte(numbers_ == Numbers::extreme ? 255 : random_());
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

  Buffer<std::byte> encode(const Kernels& kernels) const {
    Buffer<std::byte> records;
    records.reserve(kMost * code_stride(matrix_.columns));
    for (std::size_t t = 0; t < kMost; ++t)
      kernels.encode[std::size_t(matrix_.kind)](x_.data() + t * matrix_.columns, matrix_.columns,
                                                records.data() + t * code_stride(matrix_.columns));
    return records;
  }

  // Numbers of a record that do not depend on the instruction set.
  void check_records(const std::byte* own, const std::byte* scalar) const {
    const bool floats = matrix_.kind == Kind::f32 || matrix_.kind == Kind::bf16;
    const std::size_t columns = matrix_.columns, stride = code_stride(columns);
    const std::size_t bytes = 4 * (floats ? columns : columns / kGroup + columns / kInt4Group);
    for (std::size_t t = 0; t < kMost; ++t)
      CHECK(!std::memcmp(own + t * stride, scalar + t * stride, bytes));
  }

  std::vector<float> multiply(const Kernels& kernels, const Buffer<std::byte>& records,
                              std::size_t tokens, std::size_t strip, bool add) const {
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
  std::vector<float> bias_, x_, expected_[2];  // alone, and added to others with a bias
  float most_ = 0.0f;
};

// Gives the number of cases of each instruction set.
inline std::size_t test_products(const std::vector<const Kernels*>& sets, const Kernels& scalar) {
  std::size_t cases = 0;
  for (const Kind kind : {Kind::f32, Kind::bf16, Kind::int8, Kind::int4})
    for (const Numbers numbers : {Numbers::whole, Numbers::extreme, Numbers::any})
      for (const auto& [rows, columns] : {std::pair{1, 1}, {70, 40}, {100, 130}, {64, 323}}) {
        const ProductTest test(kind, numbers, std::size_t(rows), std::size_t(columns), scalar);
        for (const Kernels* kernels : sets) cases += test.run(*kernels);
      }
  return cases / std::max<std::size_t>(sets.size(), 1);
}

}  // namespace loquent
