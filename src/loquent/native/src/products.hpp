// What the products of every fast instruction set share: the walk over groups of columns, so that weights
// are read once and in order, and what is done with the sums. Each file that includes this is compiled
// for one set, so all of it belongs to that file alone.
#pragma once

#include <cstring>

#include "kernels.hpp"

namespace loquent {

namespace {

constexpr std::size_t kTokens = 64;  // whose sums are kept beside a group of a block's weights
constexpr std::size_t kAhead = 4;    // groups

// One group of columns of a block, all of which lie one behind the other, times the same columns of
// some tokens. What it adds to the sums of a token and row does not depend on the others.
struct Part {
  const std::byte* weights;  // of the group
  std::size_t row;           // in the block
  std::size_t group, groups;
  const std::byte* record;  // of the first token
  std::size_t stride;       // from one record to the next
  std::size_t values;       // where the codes of a record begin
  float* sums;              // of the first token, [kBlockRows] each
  const std::byte* ahead = nullptr;  // what to ask for meanwhile,
  std::size_t share = 0;             // bytes

  const float* floats(std::size_t t) const {
    return reinterpret_cast<const float*>(record + t * stride) + group * kGroup;
  }
  const float* scales(std::size_t t) const {
    return reinterpret_cast<const float*>(record + t * stride) + group;
  }
  const float* totals(std::size_t t) const {  // of each half of the group
    return scales(t) + groups + group;
  }
  const std::byte* codes(std::size_t t) const { return record + t * stride + values + group * kGroup; }
  float* sum(std::size_t t, std::size_t row_in_tile) const {
    return sums + t * kBlockRows + row + row_in_tile;
  }
};

// Asks for a share of a later group, in the order in which it lies: each strip of 16 rows reads a part
// of every 256 bytes, of which no prefetcher of a processor makes sense. (GCC 12 takes a function that
// only prefetches for one without effect, and drops its calls, unless it must be inlined.)
template <int locality = 3>
[[gnu::always_inline]] inline void prefetch(const std::byte* ahead, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += 64) __builtin_prefetch(ahead + i, 0, locality);
}

// Scales some sums of a token where the rows have scales, adds the bias, and puts or adds them; `row` counts
// from the product's first.
template <class Lanes>
inline void put(const Product& p, const float* row_scales, std::size_t row, Lanes y, float* out) {
  if (row_scales) y = y * Lanes::load(row_scales + row);
  if (p.matrix->bias) y = y + Lanes::load(p.matrix->bias + p.row + row);
  if (p.add) y = y + Lanes::load(out + row);
  y.store(out + row);
}

inline const float* row_scales(const Product& p) {
  return p.matrix->kind == Kind::int8 ? p.matrix->scales() + p.row : nullptr;
}

inline Part first_group(const Product& p) {
  const Matrix& m = *p.matrix;
  return {m.block(p.row / kBlockRows), p.row % kBlockRows,      0,      m.columns / kGroup, p.codes,
          code_stride(m.columns),      code_values(m.columns), nullptr};
}

// A whole product: `walk(part, bytes, rows, tokens)` goes through the groups, each of so many bytes, for
// up to kTokens tokens.
template <class Lanes, class Walk>
void multiply_in_groups(const Product& p, Walk walk) {
  const Part start = first_group(p);
  const float* scales = row_scales(p);
  alignas(64) float sums[kTokens * kBlockRows];
  for (std::size_t first = 0; first < p.tokens; first += kTokens) {
    const std::size_t tokens = p.tokens - first < kTokens ? p.tokens - first : kTokens;
    std::memset(sums, 0, tokens * kBlockRows * sizeof(float));
    Part part = start;
    part.record += first * part.stride, part.sums = sums;
    walk(part, block_bytes(p.matrix->kind, kGroup), p.rows, tokens);
    for (std::size_t t = 0; t < tokens; ++t)
      for (std::size_t i = 0; i < p.rows; i += Lanes::width)
        put(p, scales, i, Lanes::load(sums + t * kBlockRows + start.row + i),
            p.out + (first + t) * p.out_stride);
  }
}

}  // namespace

}  // namespace loquent
