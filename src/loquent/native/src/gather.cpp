// The attention of a stack: what each thread does with the keys and values of its pieces.
#include <algorithm>

#include "runner.hpp"

namespace loquent {

const Kernels::Memory& memory_kernels(const Kernels& kernels, const BlockShape& shape) {
  return shape.element_bytes == sizeof(float) ? kernels.floats : kernels.halves;
}

void put_head(const Kernels& kernels, const BlockShape& shape, std::byte* block, std::size_t slot,
              std::size_t layer, std::size_t head, const float* key, const float* value) {
  memory_kernels(kernels, shape).put({shape.width, slot, key, value, block + shape.keys(layer, head),
                                      block + shape.values(layer, head)});
}

// Turns a head's key and the queries that read it by their positions, and puts key and value into the
// memory.
void StackWalk::remember(std::size_t index, const Batch::Piece& piece, std::size_t head) {
  const std::size_t width = s_.padded_head(), pairs = r_.tables.pairs();
  const std::size_t row = batch_.parts[piece.part].row, group = s_.heads / s_.kv_heads;
  for (std::size_t i = piece.first; i < piece.first + piece.count; ++i) {
    const std::size_t token = batch_.order[i], position = std::size_t(batch_.positions[token]);
    float* query = r_.query.data() + token * r_.query_stride + head * group * width;
    float* key = r_.key.data() + token * r_.key_stride + head * width;
    if (s_.positions == Positions::rotary) {
      const float* turn = r_.tables.rotation(position);
      for (std::size_t q = 0; q < group; ++q) rotate(query + q * width, turn, pairs);
      rotate(key, turn, pairs);
    }
    const BlockShape& shape = memory_.store().shape();
    put_head(r_.kernels, shape, memory_.block(row, position / kBlockPositions),
             position % kBlockPositions, index % shape.layers, head, key,
             r_.value.data() + token * r_.key_stride + head * width);
  }
}

// Where every row has one token, what its heads gather depends on no other piece of work.
void StackWalk::attend(std::size_t index) {
  const std::size_t items = batch_.pieces.size() * s_.kv_heads;
  const bool apart = batch_.parts.size() == batch_.size();
  if (!apart)
    r_.pool.share(items, [&](std::size_t item) {
      remember(index, batch_.pieces[item / s_.kv_heads], item % s_.kv_heads);
    });
  r_.pool.share(items, [&](std::size_t item) {
    const Batch::Piece& piece = batch_.pieces[item / s_.kv_heads];
    if (apart) remember(index, piece, item % s_.kv_heads);
    gather(memory_, index, true, piece, item % s_.kv_heads);
  });
}

void StackWalk::attend_source(std::size_t index) {
  r_.pool.share(batch_.pieces.size() * s_.kv_heads, [&](std::size_t item) {
    gather(*source_, index, false, batch_.pieces[item / s_.kv_heads], item % s_.kv_heads);
  });
}

// All queries of a piece that read one key/value head, token by token, a few at a time.
void StackWalk::gather(const Rows& rows, std::size_t index, bool own, const Batch::Piece& piece,
                       std::size_t head) {
  const BlockShape& shape = rows.store().shape();
  const std::size_t row = batch_.parts[piece.part].row, group = s_.heads / s_.kv_heads;
  Attend task = {};
  task.width = shape.width;
  task.blocks = rows.blocks(row);
  task.keys = shape.keys(index % shape.layers, head);  // whole texts are kept for one layer only
  task.values = shape.values(index % shape.layers, head);
  const Kernels::Memory& kernels = memory_kernels(r_.kernels, shape);
  const std::size_t queries = piece.count * group;
  for (std::size_t done = 0; done < queries; done += kernels.queries) {
    task.queries = std::min(kernels.queries, queries - done);
    for (std::size_t q = 0; q < task.queries; ++q) {
      const std::size_t token = batch_.order[piece.first + (done + q) / group];
      const std::size_t own_head = head * group + (done + q) % group;
      const std::size_t at = token * r_.query_stride + own_head * shape.width;
      const std::size_t position = std::size_t(batch_.positions[token]);
      r_.kernels.scale(r_.query.data() + at, s_.attention_scale, shape.width);
      task.query[q] = r_.query.data() + at;
      task.out[q] = r_.gathered.data() + at;
      task.limit[q] = own && s_.causal ? position + 1 : rows.length(row);
      task.bias[q] = own && s_.positions == Positions::relative ? r_.tables.bias(own_head, position)
                                                                : nullptr;
    }
    kernels.attend(task);
  }
}

}  // namespace loquent
