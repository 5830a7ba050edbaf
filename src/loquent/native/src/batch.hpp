// The tokens of one step, sorted by the rows that they continue.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace loquent {

struct Batch {
  std::span<const std::int32_t> ids, rows, positions;  // no ids where a sound is read
  std::span<const std::int32_t> segments;  // of each token; none: all are of the first

  // Consecutive tokens of one row: those at the places order[first] … order[first + count - 1].
  struct Part {
    std::size_t row = 0, first = 0, count = 0;
  };
  // A few tokens of a part whose attention is one piece of work.
  struct Piece {
    std::size_t part = 0, first = 0, count = 0;
  };

  std::size_t size() const { return rows.size(); }

  // Sorts tokens into parts and pieces. Throws std::invalid_argument where a row's tokens do not
  // stand one behind the other.
  void arrange(std::size_t row_count);

  std::vector<std::uint32_t> order;
  std::vector<Part> parts;
  std::vector<Piece> pieces;
};

}  // namespace loquent
