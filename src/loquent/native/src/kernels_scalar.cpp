// The reference: plain C++ for any processor, whose integer sums every other instruction set repeats.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernel_table.hpp"

namespace loquent {

namespace {

struct Lanes {
  static constexpr std::size_t width = 8;
  float v[width];

  template <class F>
  static Lanes each(F of) {
    Lanes out;
    for (std::size_t i = 0; i < width; ++i) out.v[i] = of(i);
    return out;
  }
  static Lanes load(const float* x) { return each([&](auto i) { return x[i]; }); }
  static Lanes load(const Half* x) { return each([&](auto i) { return to_float(x[i]); }); }
  static Lanes set(float x) { return each([&](auto) { return x; }); }
  void store(float* x) const { std::memcpy(x, v, sizeof v); }
  void store(Half* x) const {
    for (std::size_t i = 0; i < width; ++i) x[i] = to_half(v[i]);
  }
  static Lanes fma(Lanes a, Lanes b, Lanes c) {
    return each([&](auto i) { return a.v[i] * b.v[i] + c.v[i]; });
  }
  static Lanes max(Lanes a, Lanes b) {
    return each([&](auto i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
  }
  static Lanes min(Lanes a, Lanes b) {
    return each([&](auto i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
  }
  static Lanes abs(Lanes a) { return each([&](auto i) { return std::fabs(a.v[i]); }); }
  static Lanes round(Lanes a) { return each([&](auto i) { return std::nearbyint(a.v[i]); }); }
  static Lanes below(Lanes a, Lanes b, Lanes yes, Lanes no) {
    return each([&](auto i) { return a.v[i] < b.v[i] ? yes.v[i] : no.v[i]; });
  }
  static Lanes two_to(Lanes n) {
    return each([&](auto i) {
      const float whole = n.v[i] == n.v[i] ? n.v[i] : 0.0f;  // the other factor is no number already
      return std::bit_cast<float>((std::int32_t(whole) + 127) << 23);
    });
  }
  static Lanes copy_sign(Lanes size, Lanes sign) {
    return each([&](auto i) { return std::copysign(size.v[i], sign.v[i]); });
  }
};

Lanes operator+(Lanes a, Lanes b) { return Lanes::each([&](auto i) { return a.v[i] + b.v[i]; }); }
Lanes operator-(Lanes a, Lanes b) { return Lanes::each([&](auto i) { return a.v[i] - b.v[i]; }); }
Lanes operator*(Lanes a, Lanes b) { return Lanes::each([&](auto i) { return a.v[i] * b.v[i]; }); }
Lanes operator/(Lanes a, Lanes b) { return Lanes::each([&](auto i) { return a.v[i] / b.v[i]; }); }

// Codes in the order of the columns.
void encode_int(const float* x, std::size_t columns, std::byte* record) {
  float* scales = reinterpret_cast<float*>(record);
  float* sums = scales + columns / kGroup;
  std::int8_t* codes = reinterpret_cast<std::int8_t*>(record + code_values(columns));
  for (std::size_t first = 0; first < columns; first += kGroup) {
    std::uint32_t bits = 0;  // of the largest size: sizes order as their bits do
    for (std::size_t i = first; i < first + kGroup; ++i)
      bits = std::max(bits, std::bit_cast<std::uint32_t>(x[i]) & 0x7fffffffu);
    const float most = std::bit_cast<float>(bits);
    const float inverse = code_factor(most);
    scales[first / kGroup] = code_scale(most);
    for (std::size_t part = first; part < first + kGroup; part += kInt4Group) {
      std::int32_t sum = 0;
      for (std::size_t i = part; i < part + kInt4Group; ++i) {
        codes[i] = inverse > 0.0f ? std::int8_t(std::nearbyint(x[i] * inverse)) : 0;
        sum += codes[i];
      }
      sums[part / kInt4Group] = scales[first / kGroup] * float(sum);
    }
  }
}

// One token and one row: what `row` gives is the product without its bias.
template <class Row>
void each_row(const Product& p, Row row) {
  const Matrix& m = *p.matrix;
  for (std::size_t token = 0; token < p.tokens; ++token) {
    const std::byte* record = p.codes + token * code_stride(m.columns);
    float* out = p.out + token * p.out_stride;
    for (std::size_t i = 0; i < p.rows; ++i) {
      const std::size_t n = p.row + i;
      const float y = row(m.block(n / kBlockRows), n, record) + (m.bias ? m.bias[n] : 0.0f);
      out[i] = p.add ? out[i] + y : y;
    }
  }
}

void product_f32(const Product& p) {
  each_row(p, [&](const std::byte* block, std::size_t n, const std::byte* record) {
    const float* w = reinterpret_cast<const float*>(block) + n % kBlockRows;
    const float* x = reinterpret_cast<const float*>(record);
    float sum = 0.0f;
    for (std::size_t k = 0; k < p.matrix->columns; ++k) sum += w[k * kBlockRows] * x[k];
    return sum;
  });
}

void product_bf16(const Product& p) {
  each_row(p, [&](const std::byte* block, std::size_t n, const std::byte* record) {
    const std::uint16_t* w = reinterpret_cast<const std::uint16_t*>(block) + n % kBlockRows * 2;
    const float* x = reinterpret_cast<const float*>(record);
    float sum = 0.0f;
    for (std::size_t k = 0; k < p.matrix->columns; k += 2, w += 2 * kBlockRows)
      sum += bf16_to_float(w[0]) * x[k], sum += bf16_to_float(w[1]) * x[k + 1];
    return sum;
  });
}

void product_int8(const Product& p) {
  const std::size_t columns = p.matrix->columns;
  each_row(p, [&](const std::byte* block, std::size_t n, const std::byte* record) {
    const std::int8_t* w = reinterpret_cast<const std::int8_t*>(block) + n % kBlockRows * 4;
    const float* scales = reinterpret_cast<const float*>(record);
    const std::int8_t* x = reinterpret_cast<const std::int8_t*>(record + code_values(columns));
    float y = 0.0f;
    for (std::size_t first = 0; first < columns; first += kGroup) {
      std::int32_t sum = 0;
      for (std::size_t k = first; k < first + kGroup; k += 4, w += 4 * kBlockRows)
        for (std::size_t i = 0; i < 4; ++i) sum += w[i] * x[k + i];
      y += float(sum) * scales[first / kGroup];
    }
    return y * p.matrix->scales()[n];
  });
}

void product_int4(const Product& p) {
  const std::size_t columns = p.matrix->columns;
  each_row(p, [&](const std::byte* block, std::size_t n, const std::byte* record) {
    const float* scales = reinterpret_cast<const float*>(record);
    const float* sums = scales + columns / kGroup;
    const std::int8_t* x = reinterpret_cast<const std::int8_t*>(record + code_values(columns));
    float y = 0.0f;
    for (std::size_t first = 0; first < columns; first += kInt4Group) {
      const Half* weight_scales = reinterpret_cast<const Half*>(block) + n % kBlockRows;
      const std::uint8_t* w = reinterpret_cast<const std::uint8_t*>(block) + 4 * kBlockRows +
                              n % kBlockRows * 4;
      std::int32_t sum = 0;
      for (std::size_t k = first; k < first + kInt4Group; k += 8, w += 4 * kBlockRows)
        for (std::size_t i = 0; i < 4; ++i)
          sum += (w[i] & 15) * x[k + i] + (w[i] >> 4) * x[k + 4 + i];
      y += to_float(weight_scales[0]) * (float(sum) * scales[first / kGroup]);
      y += to_float(weight_scales[kBlockRows]) * sums[first / kInt4Group];
      block += block_bytes(Kind::int4, kInt4Group);
    }
    return y;
  });
}

}  // namespace

const Kernels& scalar_kernels() {
  static const Kernels table = kernel_table<Lanes>(
      "scalar", encode_int, product_f32, product_bf16, product_int8, product_int4);
  return table;
}

}  // namespace loquent
