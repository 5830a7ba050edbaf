#include "memory.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace loquent {

namespace {

constexpr std::size_t kChunkBytes = std::size_t(1) << 18;

}  // namespace

BlockStore::BlockStore(BlockShape shape)
    : shape_(shape),
      per_chunk_(std::max<std::size_t>(1, kChunkBytes / std::max<std::size_t>(1, shape.bytes()))) {}

void BlockStore::Free::operator()(std::byte* chunk) const { std::free(chunk); }

std::uint32_t BlockStore::take() {
  if (free_.empty()) {
    const std::size_t bytes = round_up(std::max<std::size_t>(1, per_chunk_ * shape_.bytes()), 64);
    std::unique_ptr<std::byte[], Free> chunk(static_cast<std::byte*>(std::aligned_alloc(64, bytes)));
    if (!chunk) throw std::bad_alloc();
    std::memset(chunk.get(), 0, bytes);  // products with what was never written stay numbers
    free_.reserve(uses_.size() + per_chunk_);  // so that release never allocates
    chunks_.push_back(std::move(chunk));
    for (std::size_t i = per_chunk_; i-- > 0;) free_.push_back(std::uint32_t(uses_.size() + i));
    uses_.resize(uses_.size() + per_chunk_, 0);
  }
  const std::uint32_t block = free_.back();
  free_.pop_back();
  uses_[block] = 1;
  return block;
}

void BlockStore::release(std::uint32_t block) {
  if (--uses_[block] == 0) free_.push_back(block);
}

void Rows::truncate(std::size_t row, std::size_t blocks) {
  Row& r = rows_[row];
  for (std::size_t i = blocks; i < r.blocks.size(); ++i) store_.release(r.blocks[i]);
  if (blocks < r.blocks.size()) {
    r.blocks.resize(blocks);
    r.data.resize(blocks);
  }
  r.length = std::min(r.length, blocks * kBlockPositions);
}

void Rows::reorder(const std::vector<std::size_t>& targets,
                   const std::vector<std::size_t>& sources) {
  std::vector<Row> taken;
  taken.reserve(sources.size());
  for (const std::size_t source : sources) {
    taken.push_back(rows_[source]);
    for (const std::uint32_t block : rows_[source].blocks) store_.retain(block);
  }
  for (std::size_t i = 0; i < targets.size(); ++i) {
    clear(targets[i]);
    rows_[targets[i]] = std::move(taken[i]);
  }
}

void Rows::extend(std::size_t row, std::size_t first, std::size_t end) {
  Row& r = rows_[row];
  const std::size_t needed = round_up(end, kBlockPositions) / kBlockPositions;
  truncate(row, needed);
  for (std::size_t i = first / kBlockPositions; i < needed; ++i) {
    if (i < r.blocks.size()) {
      if (!store_.shared(r.blocks[i])) continue;
      const std::uint32_t own = store_.take();
      std::memcpy(store_.data(own), r.data[i], store_.shape().bytes());
      store_.release(r.blocks[i]);
      r.blocks[i] = own;
      r.data[i] = store_.data(own);
    } else {
      const std::uint32_t own = store_.take();
      r.blocks.push_back(own);
      r.data.push_back(store_.data(own));
    }
  }
  r.length = end;
}

}  // namespace loquent
