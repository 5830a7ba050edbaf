// How a product is cut into items of work that threads take one by one.
#pragma once

#include "layout.hpp"

namespace loquent {

constexpr std::size_t kTileTokens = 64;  // whose records stay in a core's cache beside the weights
constexpr std::size_t kItemsPerThread = 4;

// How the strips of some matrices and tiles of tokens are numbered, rows first.
struct Strips {
  std::size_t rows = kBlockRows, per_tile = 0, tiles = 0;

  Strips(std::size_t padded_rows, std::size_t tokens, unsigned threads)
      : tiles((tokens + kTileTokens - 1) / kTileTokens) {
    while (rows > 16 && padded_rows / rows * tiles < kItemsPerThread * threads) rows /= 2;
    per_tile = padded_rows / rows;
  }
  std::size_t count() const { return per_tile * tiles; }
  std::size_t row(std::size_t item) const { return item % per_tile * rows; }
  std::size_t token(std::size_t item) const { return item / per_tile * kTileTokens; }
};

}  // namespace loquent
