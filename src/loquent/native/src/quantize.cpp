#include "quantize.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "half.hpp"

namespace loquent {

namespace {

float nearest(float x) { return (x + 12582912.0f) - 12582912.0f; }  // ties to even, up to 2^22

struct Int4Group {
  float scale = 0.0f, minimum = 0.0f;
  float codes[kInt4Group] = {};
};

// The codes that come closest with this scale and minimum; gives the sum of squared errors.
float code(const float* w, Int4Group& group) {
  group.scale = to_float(to_half(std::clamp(group.scale, -kHalfMax, kHalfMax)));
  group.minimum = to_float(to_half(std::clamp(group.minimum, -kHalfMax, kHalfMax)));
  const float inverse = group.scale > 0.0f ? 1.0f / group.scale : 0.0f;
  float errors[8] = {};
  for (std::size_t i = 0; i < kInt4Group; i += 8)
    for (std::size_t j = 0; j < 8; ++j) {
      float c = nearest((w[i + j] - group.minimum) * inverse);
      c = c > 15.0f ? 15.0f : c > 0.0f ? c : 0.0f;
      group.codes[i + j] = c;
      const float error = c * group.scale + group.minimum - w[i + j];
      errors[j] += error * error;
    }
  return ((errors[0] + errors[4]) + (errors[1] + errors[5])) +
         ((errors[2] + errors[6]) + (errors[3] + errors[7]));
}

// Scale and minimum that fit best to codes chosen before (a straight line by least squares).
bool fit(const float* w, Int4Group& group) {
  float n = kInt4Group, c = 0, cc = 0, x = 0, cx = 0;
  for (std::size_t i = 0; i < kInt4Group; ++i) {
    c += group.codes[i], cc += group.codes[i] * group.codes[i];
    x += w[i], cx += group.codes[i] * w[i];
  }
  const float spread = n * cc - c * c;
  if (spread <= 0.0f) return false;
  group.scale = (n * cx - c * x) / spread;
  group.minimum = (x - group.scale * c) / n;
  return group.scale > 0.0f;
}

// Tries ranges a little narrower than that of the weights: the ends are rare, and finer steps are
// worth more to the others. The full range comes first, so that codes of 4 bits with a scale and a
// minimum, as other formats store them, are found again exactly.
Int4Group quantize(const float* w) {
  const auto [low, high] = std::minmax_element(w, w + kInt4Group);
  const float middle = 0.5f * (*low + *high), reach = 0.5f * (*high - *low);
  Int4Group best;
  best.minimum = middle;
  float least = code(w, best);
  if (reach <= 0.0f) return best;
  for (int step = 0; step < 8; ++step) {
    const float share = 1.0f - 0.04f * float(step);
    Int4Group group;
    group.scale = reach * share * (2.0f / 15.0f);
    group.minimum = step ? middle - reach * share : *low;
    for (int turn = 0; turn < 2; ++turn) {
      const float error = code(w, group);
      if (error < least) least = error, best = group;
      if (least <= 1e-10f * reach * reach) return best;
      if (!fit(w, group)) break;
    }
  }
  return best;
}

void pack_int4(const float* rows, std::size_t columns, std::byte* out) {
  for (std::size_t first = 0; first < columns; first += kInt4Group) {
    Half* scales = reinterpret_cast<Half*>(out);
    std::uint8_t* bytes = reinterpret_cast<std::uint8_t*>(out) + 4 * kBlockRows;
    for (std::size_t row = 0; row < kBlockRows; ++row) {
      const Int4Group group = quantize(rows + row * columns + first);
      scales[row] = to_half(group.scale);
      scales[kBlockRows + row] = to_half(group.minimum);
      for (std::size_t eight = 0; eight < kInt4Group / 8; ++eight)
        for (std::size_t i = 0; i < 4; ++i)
          bytes[(eight * kBlockRows + row) * 4 + i] =
              std::uint8_t(std::uint32_t(group.codes[eight * 8 + i]) |
                           std::uint32_t(group.codes[eight * 8 + 4 + i]) << 4);
    }
    out += block_bytes(Kind::int4, kInt4Group);
  }
}

void pack_int8(const float* rows, std::size_t columns, std::byte* out, float* scales) {
  std::int8_t* codes = reinterpret_cast<std::int8_t*>(out);
  for (std::size_t row = 0; row < kBlockRows; ++row) {
    const float* w = rows + row * columns;
    float most = 0.0f;
    for (std::size_t k = 0; k < columns; ++k) most = std::max(most, std::fabs(w[k]));
    const float inverse = most >= 1e-30f ? 127.0f / most : 0.0f;
    scales[row] = most / 127.0f;
    for (std::size_t k = 0; k < columns; ++k)
      codes[(k / 4 * kBlockRows + row) * 4 + k % 4] = std::int8_t(nearest(w[k] * inverse));
  }
}

void pack_bf16(const float* rows, std::size_t columns, std::byte* out) {
  std::uint16_t* halves = reinterpret_cast<std::uint16_t*>(out);
  for (std::size_t row = 0; row < kBlockRows; ++row)
    for (std::size_t k = 0; k < columns; ++k)
      halves[(k / 2 * kBlockRows + row) * 2 + k % 2] = to_bf16(rows[row * columns + k]);
}

void pack_f32(const float* rows, std::size_t columns, std::byte* out) {
  float* floats = reinterpret_cast<float*>(out);
  for (std::size_t row = 0; row < kBlockRows; ++row)
    for (std::size_t k = 0; k < columns; ++k) floats[k * kBlockRows + row] = rows[row * columns + k];
}

}  // namespace

void pack_matrix(const float* weights, std::size_t rows, std::size_t columns, Kind kind,
                 std::byte* out, Pool& pool) {
  const std::size_t padded = round_up(columns, kGroup);
  const std::size_t blocks = round_up(rows, kBlockRows) / kBlockRows;
  const std::size_t bytes = block_bytes(kind, padded);
  float* scales = reinterpret_cast<float*>(out + blocks * bytes);  // int8
  std::vector<std::vector<float>> own(pool.threads(), std::vector<float>(kBlockRows * padded));
  pool.run([&](unsigned thread) {
    float* block = own[thread].data();
    pool.share(blocks, [&](std::size_t index) {
      for (std::size_t i = 0; i < kBlockRows; ++i) {
        const std::size_t row = index * kBlockRows + i;
        float* to = block + i * padded;
        const std::size_t count = row < rows ? columns : 0;
        if (count) std::memcpy(to, weights + row * columns, count * sizeof(float));
        std::fill(to + count, to + padded, 0.0f);
      }
      std::byte* to = out + index * bytes;
      switch (kind) {
        case Kind::f32: pack_f32(block, padded, to); break;
        case Kind::bf16: pack_bf16(block, padded, to); break;
        case Kind::int8: pack_int8(block, padded, to, scales + index * kBlockRows); break;
        case Kind::int4: pack_int4(block, padded, to); break;
      }
    });
  });
}

}  // namespace loquent
