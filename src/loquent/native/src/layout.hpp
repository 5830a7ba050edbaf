// How weights lie in memory and in packed files, the same for every instruction set.
//
// A matrix of N rows (outputs) and K columns (inputs) is padded with zeros to whole blocks of 64 rows
// and whole groups of 64 columns. Its blocks stand one behind the other, each column by column, so
// that one pass over consecutive bytes gives 64 outputs:
//
//   f32   [K][64] floats
//   bf16  [K/2][64][2] upper halves of floats
//   int8  [K/4][64][4] codes from -127 to 127; behind the last block a scale (f32) for each row
//   int4  for each 32 columns: [64] scales (f16), [64] minima (f16), then [4][64][4] bytes that hold
//         codes from 0 to 15: the low half of byte j of a row is column j, its high half column 4 + j
//         of the eight columns that the four bytes stand for. weight = code * scale + minimum
#pragma once

#include <cstddef>
#include <cstdint>

namespace loquent {

constexpr std::uint32_t kLayoutVersion = 1;
constexpr std::size_t kBlockRows = 64;
constexpr std::size_t kGroup = 64;       // columns that share one scale of their activations
constexpr std::size_t kInt4Group = 32;   // columns of a row that share a scale and a minimum
constexpr std::size_t kHeadMultiple = 16;   // heads are padded to a multiple of it
constexpr std::size_t kBlockPositions = 16;  // of keys and values

enum class Kind : std::uint32_t { f32 = 0, bf16 = 1, int8 = 2, int4 = 3 };
constexpr std::size_t kKinds = 4;

static constexpr std::size_t round_up(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Bytes of one block of 64 rows with `columns` (padded) columns.
static constexpr std::size_t block_bytes(Kind kind, std::size_t columns) {
  switch (kind) {
    case Kind::f32: return columns * kBlockRows * 4;
    case Kind::bf16: return columns * kBlockRows * 2;
    case Kind::int8: return columns * kBlockRows;
    case Kind::int4: return columns / kInt4Group * (2 * 2 + kInt4Group / 2) * kBlockRows;
  }
  return 0;
}

// Bytes of a whole matrix, whose sizes need not be padded.
static constexpr std::size_t matrix_bytes(Kind kind, std::size_t rows, std::size_t columns) {
  const std::size_t blocks = round_up(rows, kBlockRows) / kBlockRows;
  const std::size_t scales = kind == Kind::int8 ? blocks * kBlockRows * sizeof(float) : 0;
  return blocks * block_bytes(kind, round_up(columns, kGroup)) + scales;
}

// A matrix in a packed file, with the bias that is added to its products.
struct Matrix {
  Kind kind = Kind::f32;
  std::size_t rows = 0;     // as they are, not padded
  std::size_t columns = 0;  // padded
  const std::byte* data = nullptr;
  const float* bias = nullptr;  // of all padded rows, or nullptr

  // In each place, so that no copy that was compiled for a newer processor is taken for all.
  [[gnu::always_inline]] std::size_t padded_rows() const { return round_up(rows, kBlockRows); }
  [[gnu::always_inline]] const std::byte* block(std::size_t index) const {
    return data + index * block_bytes(kind, columns);
  }
  [[gnu::always_inline]] const float* scales() const {  // int8
    return reinterpret_cast<const float*>(block(padded_rows() / kBlockRows));
  }
};

}  // namespace loquent
