// What a network remembers of each row: keys and values in blocks of 16 positions that rows share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "layout.hpp"

namespace loquent {

// How the keys and values of one position lie in a block:
// [layers][heads][keys: width x 16 | values: 16 x width].
struct BlockShape {
  std::size_t layers = 0;
  std::size_t heads = 0;
  std::size_t width = 0;          // of a head, padded
  std::size_t element_bytes = 2;  // halves, or floats

  std::size_t half_bytes() const { return width * kBlockPositions * element_bytes; }
  std::size_t bytes() const { return layers * heads * 2 * half_bytes(); }
  std::size_t keys(std::size_t layer, std::size_t head) const {
    return (layer * heads + head) * 2 * half_bytes();
  }
  std::size_t values(std::size_t layer, std::size_t head) const {
    return keys(layer, head) + half_bytes();
  }
};

// Blocks with reference counts. Their memory grows by chunks that never move; freed blocks are taken
// again before it grows.
class BlockStore {
 public:
  explicit BlockStore(BlockShape shape);
  BlockStore(BlockStore&&) = default;

  const BlockShape& shape() const { return shape_; }
  std::uint32_t take();
  void retain(std::uint32_t block) { ++uses_[block]; }
  void release(std::uint32_t block);
  bool shared(std::uint32_t block) const { return uses_[block] > 1; }
  std::byte* data(std::uint32_t block) const {
    return chunks_[block / per_chunk_].get() + block % per_chunk_ * shape_.bytes();
  }
  std::size_t used() const { return uses_.size() - free_.size(); }
  std::size_t allocated() const { return uses_.size(); }

 private:
  struct Free {
    void operator()(std::byte* chunk) const;
  };
  const BlockShape shape_;
  const std::size_t per_chunk_;
  std::vector<std::unique_ptr<std::byte[], Free>> chunks_;
  std::vector<std::uint32_t> uses_;
  std::vector<std::uint32_t> free_;
};

// Rows of one store: each a list of blocks, of which several rows may hold the same ones.
class Rows {
 public:
  Rows(BlockShape shape, std::size_t rows) : store_(shape), rows_(rows) {}

  std::size_t count() const { return rows_.size(); }
  std::size_t length(std::size_t row) const { return rows_[row].length; }
  const BlockStore& store() const { return store_; }
  const std::byte* const* blocks(std::size_t row) const { return rows_[row].data.data(); }
  std::byte* block(std::size_t row, std::size_t index) const { return rows_[row].data[index]; }

  void clear(std::size_t row) { truncate(row, 0); }
  // Row targets[i] becomes what row sources[i] was before the call.
  void reorder(const std::vector<std::size_t>& targets, const std::vector<std::size_t>& sources);
  // Makes the positions from `first` up to `end` of a row its own to write, and `end` its length.
  void extend(std::size_t row, std::size_t first, std::size_t end);

 private:
  struct Row {
    std::vector<std::uint32_t> blocks;
    std::vector<std::byte*> data;  // where each block lies
    std::size_t length = 0;
  };
  void truncate(std::size_t row, std::size_t blocks);

  BlockStore store_;
  std::vector<Row> rows_;
};

}  // namespace loquent
