// Which states of the encoder the heads of a decoder look at, written down as a step goes.
#include <algorithm>
#include <cmath>

#include "runner.hpp"

namespace loquent {

namespace {

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
  const Kernels::Memory& kernels = memory_kernels(r_.kernels, shape);
  const std::size_t group = s_.heads / s_.kv_heads, tokens = batch_.size();
  r_.pool.share(watch_->heads.size() * tokens, [&](std::size_t item) {
    const auto [layer, head] = watch_->heads[item / tokens];
    if (layer != index) return;
    const std::size_t token = item % tokens, row = std::size_t(batch_.rows[token]);
    const float* query = r_.query.data() + token * r_.query_stride + head * shape.width;
    const std::size_t keys = shape.keys(index, head / group);
    float* out = watch_->out + item * watch_->length;
    float scores[kBlockPositions];
    for (std::size_t first = 0; first < watch_->length; first += kBlockPositions) {
      const std::byte* block = source_->blocks(row)[first / kBlockPositions];
      kernels.score(query, block + keys, shape.width, scores);
      std::copy_n(scores, std::min(kBlockPositions, watch_->length - first), out + first);
    }
    softmax(out, watch_->length);
  });
}

}  // namespace loquent
