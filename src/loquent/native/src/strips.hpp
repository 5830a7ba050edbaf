// How a product is cut into items of work that threads take one by one.
#pragma once

#include "layout.hpp"

namespace loquent {

constexpr std::size_t kTileTokens = 64;  // whose records stay in a core's cache beside the weights
constexpr std::size_t kItemsPerThread = 4;

// Strips of the rows of some matrices, each with all tiles of tokens in turn, so that its weights stay in a
// cache: whole blocks as long as each thread can have as many as the others, and lower strips of what is
// left; only lower ones where blocks are few.
class Strips {
 public:
  struct Strip {
    std::size_t row, rows, token;
  };

  Strips(std::size_t padded_rows, std::size_t tokens, unsigned threads)
      : tiles_((tokens + kTileTokens - 1) / kTileTokens) {
    const std::size_t blocks = padded_rows / kBlockRows, left = blocks % threads;
    if (blocks * tiles_ >= kItemsPerThread * threads) {
      whole_ = tiles_ == 1 ? blocks - left : blocks;
      while (lower_ > 16 && left * (kBlockRows / lower_) < threads) lower_ /= 2;
    } else {
      while (lower_ > 16 && padded_rows / lower_ * tiles_ < kItemsPerThread * threads) lower_ /= 2;
    }
    count_ = (whole_ + (padded_rows - whole_ * kBlockRows) / lower_) * tiles_;
  }

  std::size_t even() const { return whole_ * tiles_; }  // items of whole blocks
  std::size_t count() const { return count_; }
  Strip operator[](std::size_t item) const {
    const std::size_t strip = item / tiles_, token = item % tiles_ * kTileTokens;
    if (strip < whole_) return {strip * kBlockRows, kBlockRows, token};
    return {whole_ * kBlockRows + (strip - whole_) * lower_, lower_, token};
  }

 private:
  std::size_t tiles_, whole_ = 0, lower_ = kBlockRows, count_;
};

}  // namespace loquent
