// Which states of the encoder the heads of a decoder look at, written down as a step goes.
#include <algorithm>
#include <cmath>

#include "runner.hpp"

namespace loquent {

namespace {

// The scores of a query at the keys of some blocks, [width][16] each.
template <class E, class Read>
void score(const float* query, const std::byte* const* blocks, std::size_t keys, std::size_t width,
           std::size_t length, Read read, float* scores) {
  for (std::size_t first = 0; first < length; first += kBlockPositions) {
    const E* key = reinterpret_cast<const E*>(blocks[first / kBlockPositions] + keys);
    float sums[kBlockPositions] = {};
    for (std::size_t d = 0; d < width; ++d, key += kBlockPositions)
      for (std::size_t i = 0; i < kBlockPositions; ++i) sums[i] += query[d] * read(key[i]);
    std::copy_n(sums, std::min(kBlockPositions, length - first), scores + first);
  }
}

void softmax(float* scores, std::size_t count) {
  const float most = *std::max_element(scores, scores + count);
  float sum = 0.0f;
  for (std::size_t i = 0; i < count; ++i) sum += scores[i] = std::exp(scores[i] - most);
  for (std::size_t i = 0; i < count; ++i) scores[i] /= sum;
}

}  // namespace

// Queries were scaled when they were gathered for.
void StackWalk::observe(std::size_t index) {
  const BlockShape& shape = source_->store().shape();
  const std::size_t group = s_.heads / s_.kv_heads, tokens = batch_.size();
  r_.pool.share(watch_->heads.size() * tokens, [&](std::size_t item) {
    const auto [layer, head] = watch_->heads[item / tokens];
    if (layer != index) return;
    const std::size_t token = item % tokens, row = std::size_t(batch_.rows[token]);
    const float* query = r_.query.data() + token * r_.query_stride + head * shape.width;
    const std::size_t keys = shape.keys(index, head / group);
    float* out = watch_->out + item * watch_->length;
    if (shape.element_bytes == sizeof(float))
      score<float>(query, source_->blocks(row), keys, shape.width, watch_->length,
                   [](float key) { return key; }, out);
    else
      score<Half>(query, source_->blocks(row), keys, shape.width, watch_->length,
                  [](Half key) { return to_float(key); }, out);
    softmax(out, watch_->length);
  });
}

}  // namespace loquent
