#include "batch.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <string>

namespace loquent {

namespace {

constexpr std::size_t kPieceTokens = 16;

}  // namespace

void Batch::arrange(std::size_t row_count) {
  order.resize(size());
  std::iota(order.begin(), order.end(), 0u);
  for (const std::int32_t row : rows)
    if (row < 0 || std::size_t(row) >= row_count)
      throw std::invalid_argument("row " + std::to_string(row) + " is not one of the memory's " +
                                  std::to_string(row_count) + ".");
  if (!std::is_sorted(rows.begin(), rows.end()))
    std::stable_sort(order.begin(), order.end(),
                     [this](std::uint32_t a, std::uint32_t b) { return rows[a] < rows[b]; });
  parts.clear();
  pieces.clear();
  for (std::size_t at = 0; at < size(); ++at) {
    const std::size_t row = std::size_t(rows[order[at]]);
    if (parts.empty() || parts.back().row != row) {
      parts.push_back({row, at, 1});
    } else {
      ++parts.back().count;
      if (positions[order[at]] != positions[order[at - 1]] + 1)
        throw std::invalid_argument("the tokens of row " + std::to_string(row) +
                                    " do not stand one behind the other.");
    }
    if (positions[order[at]] < 0) throw std::invalid_argument("a position is negative.");
  }
  for (std::size_t part = 0; part < parts.size(); ++part)
    for (std::size_t done = 0; done < parts[part].count; done += kPieceTokens)
      pieces.push_back({part, parts[part].first + done,
                        std::min(kPieceTokens, parts[part].count - done)});
  // the longest first, so that no thread is left with much while the others wait
  std::stable_sort(pieces.begin(), pieces.end(), [this](const Piece& a, const Piece& b) {
    return positions[order[a.first]] > positions[order[b.first]];
  });
}

}  // namespace loquent
