#include "self_check.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "buffer.hpp"

namespace loquent {

namespace {

constexpr std::size_t kColumns = 2 * kGroup;
constexpr std::size_t kVectors = 7, kMany = 31;  // of tokens; where there are many, some are equal

class Random {  // a linear congruential sequence (Knuth 1997, §3.3.4, table 1); numbers from -1 to 1
 public:
  std::uint32_t bits() { return state_ = 1664525u * state_ + 1013904223u; }
  float number() { return float(std::int32_t(bits())) * 0x1p-31f; }

 private:
  std::uint32_t state_ = 1;
};

// A block of 64 rows of each kind: numbers of its own form, not those of another packed.
class Check {
 public:
  explicit Check(Kind kind) {
    matrix_.kind = kind, matrix_.rows = kBlockRows, matrix_.columns = kColumns;
    const std::size_t bytes = matrix_bytes(kind, kBlockRows, kColumns);
    weights_.reserve(bytes);
    matrix_.data = weights_.data();
    fill(weights_.data(), block_bytes(kind, kColumns));
    if (kind == Kind::int8) floats(weights_.data() + block_bytes(kind, kColumns), kBlockRows);
    x_.resize(kVectors * kColumns);
    for (float& each : x_) each = random_.number();
  }

  bool repeats(const Kernels& kernels, const Kernels& scalar) const {
    const std::vector<float> expected = multiply(scalar, kBlockRows, kVectors);
    float most = 0.0f;
    for (const float y : expected) most = std::max(most, std::fabs(y));
    const struct {
      std::size_t rows, tokens;
    } shapes[] = {{64, kMany}, {64, kVectors}, {64, 1}, {32, 3}, {16, 2}};
    for (const auto& [rows, tokens] : shapes) {
      const std::vector<float> own = multiply(kernels, rows, tokens);
      for (std::size_t t = 0; t < tokens; ++t)
        for (std::size_t n = 0; n < kBlockRows; ++n) {
          const float y = own[t * kBlockRows + n], other = expected[t % kVectors * kBlockRows + n];
          if (!(std::fabs(y - other) <= 1e-5f * most)) return false;
        }
    }
    return true;
  }

 private:
  void floats(std::byte* out, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const float value = random_.number();
      std::memcpy(out + 4 * i, &value, sizeof value);
    }
  }
  void halves(std::byte* out, std::size_t count, bool brain) {
    for (std::size_t i = 0; i < count; ++i) {
      const float value = random_.number();
      const std::uint16_t bits = brain ? to_bf16(value) : to_half(value).bits;
      std::memcpy(out + 2 * i, &bits, sizeof bits);
    }
  }
  void fill(std::byte* out, std::size_t bytes) {
    switch (matrix_.kind) {
      case Kind::f32: return floats(out, bytes / 4);
      case Kind::bf16: return halves(out, bytes / 2, true);
      case Kind::int8:
        for (std::size_t i = 0; i < bytes; ++i) out[i] = std::byte(int(random_.number() * 127.9f));
        return;
      case Kind::int4:
        for (std::size_t i = 0; i < bytes; ++i) out[i] = std::byte(random_.bits() >> 24);
        for (std::size_t i = 0; i < bytes; i += block_bytes(Kind::int4, kInt4Group))
          halves(out + i, 2 * kBlockRows, false);
    }
  }

  std::vector<float> multiply(const Kernels& kernels, std::size_t strip, std::size_t tokens) const {
    const std::size_t kind = std::size_t(matrix_.kind), stride = code_stride(kColumns);
    Buffer<std::byte> records;
    records.reserve(tokens * stride);
    for (std::size_t t = 0; t < tokens; ++t)
      kernels.encode[kind](x_.data() + t % kVectors * kColumns, kColumns, records.data() + t * stride);
    std::vector<float> out(tokens * kBlockRows);
    for (std::size_t row = 0; row < kBlockRows; row += strip)
      kernels.product[kind]({&matrix_, row, strip, records.data(), tokens, out.data() + row, kBlockRows,
                             false});
    return out;
  }

  Random random_;
  Matrix matrix_;
  Buffer<std::byte> weights_;
  std::vector<float> x_;
};

}  // namespace

bool repeats_scalar(const Kernels& kernels) {
  const Kernels& scalar = scalar_kernels();
  for (const Kind kind : {Kind::f32, Kind::bf16, Kind::int8, Kind::int4})
    if (!Check(kind).repeats(kernels, scalar)) return false;
  return true;
}

}  // namespace loquent
