#include "runner.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "strips.hpp"

namespace loquent {

StackRunner::StackRunner(const Stack& s, float scale, const Kernels& k, Pool& p)
    : stack(s),
      embedding_scale(scale),
      kernels(k),
      pool(p),
      stride(round_up(s.settings.width, kGroup)),
      query_stride(round_up(s.settings.query_rows(), kGroup)),
      key_stride(round_up(s.settings.key_rows(), kGroup)),
      inner_stride(round_up(s.settings.feedforward, kGroup)),
      record_bytes(code_stride(std::max({stride, query_stride, inner_stride}))),
      record(p.threads()),
      scratch(p.threads()),
      strip(p.threads()) {
  for (Buffer<std::byte>& each : record) each.reserve(record_bytes);
  for (Buffer<float>& each : scratch) each.reserve(stride);
  for (Buffer<float>& each : strip) each.reserve(kTileTokens * kBlockRows);
}

void StackRunner::reserve(std::size_t tokens, std::size_t length) {
  x.reserve(tokens * stride);
  query.reserve(tokens * query_stride);
  key.reserve(tokens * key_stride);
  value.reserve(tokens * key_stride);
  gathered.reserve(tokens * query_stride);
  inner.reserve(tokens * inner_stride);
  records.reserve(tokens * record_bytes);
  tables.reserve(stack, length);
}

StackWalk::StackWalk(StackRunner& runner, const Batch& batch, Rows& memory, const Rows* source,
                     unsigned thread, const Watch* watch)
    : r_(runner),
      s_(runner.stack.settings),
      batch_(batch),
      memory_(memory),
      source_(source),
      thread_(thread),
      watch_(watch) {}

void StackWalk::run() {
  embed();
  for (std::size_t index = 0; index < r_.stack.layers.size(); ++index) {
    const Layer& layer = r_.stack.layers[index];
    attention(layer, index);
    if (s_.cross) cross(layer, index);
    if (s_.feedforward) feedforward(layer);
  }
}

void StackWalk::embed() {
  const Stack& stack = r_.stack;
  r_.pool.share(batch_.size(), [&](std::size_t token) {
    float* x = r_.x.data() + token * r_.stride;
    const std::size_t position = std::size_t(batch_.positions[token]);
    if (stack.front.empty()) {
      read_row(stack.embedding, std::size_t(batch_.ids[token]), x);
      r_.kernels.scale(x, r_.embedding_scale, r_.stride);
    }
    const auto add = [&](const float* y) {
      for (std::size_t i = 0; i < s_.width; ++i) x[i] += y[i];
    };
    if (s_.positions == Positions::learned) add(stack.positions + position * s_.width);
    if (r_.tables.has_sinusoids()) add(r_.tables.sinusoid(position));
    if (stack.segments) {
      const std::int32_t segment = batch_.segments.empty() ? 0 : batch_.segments[token];
      add(stack.segments + std::size_t(segment) * s_.width);
    }
    if (s_.embedding_norm) r_.kernels.norm(stack.embedding_norm, x, x);
  });
}

void StackWalk::attention(const Layer& layer, std::size_t index) {
  const AttentionWeights& w = layer.attention;
  encode(layer.attention_norm, w.query.kind);
  const Job jobs[] = {{&w.query, r_.query.data(), r_.query_stride},
                      {&w.key, r_.key.data(), r_.key_stride},
                      {&w.value, r_.value.data(), r_.key_stride}};
  multiply(jobs, batch_.size(), false);
  attend(index);
  encode(r_.gathered.data(), r_.query_stride, w.output.columns, w.output.kind);
  const Job output[] = {{&w.output, r_.x.data(), r_.stride}};
  multiply(output, batch_.size(), true);
}

void StackWalk::cross(const Layer& layer, std::size_t index) {
  const AttentionWeights& w = layer.cross;
  encode(layer.cross_norm, w.query.kind);
  const Job jobs[] = {{&w.query, r_.query.data(), r_.query_stride}};
  multiply(jobs, batch_.size(), false);
  attend_source(index);
  if (watch_) observe(index);
  encode(r_.gathered.data(), r_.query_stride, w.output.columns, w.output.kind);
  const Job output[] = {{&w.output, r_.x.data(), r_.stride}};
  multiply(output, batch_.size(), true);
}

void StackWalk::feedforward(const Layer& layer) {
  encode(layer.feedforward_norm, layer.up.kind);
  if (s_.gated)
    gated(layer);
  else
    activated(layer);
  encode(r_.inner.data(), r_.inner_stride, layer.down.columns, layer.down.kind);
  const Job output[] = {{&layer.down, r_.x.data(), r_.stride}};
  multiply(output, batch_.size(), true);
}

void StackWalk::activated(const Layer& layer) {
  const Strips strips(layer.up.padded_rows(), batch_.size(), r_.pool.threads());
  const auto activate = r_.kernels.activate[std::size_t(s_.activation)];
  r_.pool.share_ranges(thread_, strips.even(), strips.count(), [&](std::size_t item) {
    const auto [row, rows, token] = strips[item];
    const std::size_t tokens = std::min(kTileTokens, batch_.size() - token);
    float* out = r_.inner.data() + token * r_.inner_stride + row;
    const std::byte* records = records_ + token * code_stride(layer.up.columns);
    r_.kernels.product[std::size_t(layer.up.kind)](
        {&layer.up, row, rows, records, tokens, out, r_.inner_stride, false});
    for (std::size_t t = 0; t < tokens; ++t) activate(out + t * r_.inner_stride, rows);
  });
}

void StackWalk::gated(const Layer& layer) {
  const Strips strips(layer.up.padded_rows(), batch_.size(), r_.pool.threads());
  const auto activate = r_.kernels.activate[std::size_t(s_.activation)];
  const auto product = r_.kernels.product[std::size_t(layer.up.kind)];
  r_.pool.share_ranges(thread_, strips.even(), strips.count(), [&](std::size_t item) {
    const auto [row, rows, token] = strips[item];
    const std::size_t tokens = std::min(kTileTokens, batch_.size() - token);
    float* out = r_.inner.data() + token * r_.inner_stride + row;
    float* up = r_.strip[thread_].data();
    const std::byte* records = records_ + token * code_stride(layer.up.columns);
    product({&layer.gate, row, rows, records, tokens, out, r_.inner_stride, false});
    product({&layer.up, row, rows, records, tokens, up, rows, false});
    for (std::size_t t = 0; t < tokens; ++t) {
      activate(out + t * r_.inner_stride, rows);
      r_.kernels.multiply(out + t * r_.inner_stride, up + t * rows, rows);
    }
  });
}

void StackWalk::multiply(std::span<const Job> jobs, std::size_t tokens, bool add) {
  std::size_t rows = 0;
  for (const Job& job : jobs) rows += job.matrix->padded_rows();
  const Strips strips(rows, tokens, r_.pool.threads());
  r_.pool.share_ranges(thread_, strips.even(), strips.count(), [&](std::size_t item) {
    const Job* job = jobs.data();
    auto [row, rows, token] = strips[item];
    for (; row >= job->matrix->padded_rows(); ++job) row -= job->matrix->padded_rows();
    const Matrix& m = *job->matrix;
    r_.kernels.product[std::size_t(m.kind)](
        {&m, row, rows, records_ + token * code_stride(m.columns),
         std::min(kTileTokens, tokens - token), job->out + token * job->stride + row, job->stride,
         add});
  });
}

// The token's vector, with the norm behind the last branch applied to it.
float* StackWalk::settled(std::size_t token) {
  float* x = r_.x.data() + token * r_.stride;
  if (pending_) r_.kernels.norm(*pending_, x, x);
  return x;
}

// Encodes all vectors; a single one is encoded by every thread for itself, which takes less time than
// waiting for each other.
template <class Encode>
void StackWalk::encode_each(std::size_t record_bytes, Encode encode) {
  if (batch_.size() == 1 && !pending_) {
    encode(std::size_t(0), r_.record[thread_].data());
    records_ = r_.record[thread_].data();
  } else {
    r_.pool.share(batch_.size(), [&](std::size_t token) {
      encode(token, r_.records.data() + token * record_bytes);
    });
    records_ = r_.records.data();
  }
}

// Encodes each token's vector for the products of a branch: normed before it, or behind it.
void StackWalk::encode(const Norm& norm, Kind kind) {
  const auto encode = r_.kernels.encode[std::size_t(kind)];
  encode_each(code_stride(r_.stride), [&](std::size_t token, std::byte* record) {
    const float* x = settled(token);
    float* normed = r_.scratch[thread_].data();
    if (s_.norm_first) r_.kernels.norm(norm, x, normed);
    encode(s_.norm_first ? normed : x, r_.stride, record);
  });
  pending_ = s_.norm_first ? nullptr : &norm;
}

void StackWalk::encode(const float* vectors, std::size_t stride, std::size_t columns, Kind kind) {
  const Norm* const later = std::exchange(pending_, nullptr);  // is not for these vectors
  encode_each(code_stride(columns), [&](std::size_t token, std::byte* record) {
    r_.kernels.encode[std::size_t(kind)](vectors + token * stride, columns, record);
  });
  pending_ = later;
}

void StackWalk::finish(std::span<const std::uint32_t> tokens, float factor, Kind kind) {
  r_.pool.share(tokens.size(), [&](std::size_t i) {
    const float* x = settled(tokens[i]);
    float* out = r_.scratch[thread_].data();
    if (s_.final_norm)
      r_.kernels.norm(r_.stack.final_norm, x, out);
    else
      std::memcpy(out, x, r_.stride * sizeof(float));
    r_.kernels.scale(out, factor, r_.stride);
    r_.kernels.encode[std::size_t(kind)](out, r_.stride,
                                         r_.records.data() + i * code_stride(r_.stride));
  });
  records_ = r_.records.data();
}

// The last layer's output for a token, normed; valid until the thread's next call.
const float* StackWalk::state(std::size_t token) {
  const float* x = settled(token);
  if (!s_.final_norm) return x;
  float* normed = r_.scratch[thread_].data();
  r_.kernels.norm(r_.stack.final_norm, x, normed);
  return normed;
}

void StackWalk::states(std::span<const std::uint32_t> tokens, float* out) {
  r_.pool.share(tokens.size(), [&](std::size_t i) {
    std::memcpy(out + i * r_.stride, state(tokens[i]), r_.stride * sizeof(float));
  });
}

void StackWalk::pool(Pooling how, float* out) {
  r_.pool.share(batch_.parts.size(), [&](std::size_t i) {
    const Batch::Part& part = batch_.parts[i];
    float* pooled = out + i * r_.stride;
    const std::size_t last = part.first + part.count - 1;
    const std::size_t begin = how == Pooling::last ? last : part.first;
    const std::size_t end = how == Pooling::first ? part.first : last;
    std::memcpy(pooled, state(batch_.order[begin]), r_.stride * sizeof(float));
    for (std::size_t at = begin + 1; at <= end; ++at) {
      const float* x = state(batch_.order[at]);
      if (how == Pooling::max)
        for (std::size_t k = 0; k < s_.width; ++k) pooled[k] = std::max(pooled[k], x[k]);
      else
        for (std::size_t k = 0; k < s_.width; ++k) pooled[k] += x[k];
    }
    if (how == Pooling::mean) r_.kernels.scale(pooled, 1.0f / float(part.count), r_.stride);
  });
}

void StackWalk::map(const Matrix& matrix, Activation activation, const Norm* norm,
                    std::size_t count, float* vectors) {
  encode(vectors, count, 1.0f, matrix.kind);
  const Job jobs[] = {{&matrix, vectors, r_.stride}};
  multiply(jobs, count, false);
  r_.pool.share(count, [&](std::size_t i) {
    float* x = vectors + i * r_.stride;
    r_.kernels.activate[std::size_t(activation)](x, r_.stride);
    if (norm) r_.kernels.norm(*norm, x, x);
  });
}

void StackWalk::encode(const float* vectors, std::size_t count, float factor, Kind kind) {
  r_.pool.share(count, [&](std::size_t i) {
    float* x = r_.scratch[thread_].data();
    std::memcpy(x, vectors + i * r_.stride, r_.stride * sizeof(float));
    r_.kernels.scale(x, factor, r_.stride);
    r_.kernels.encode[std::size_t(kind)](x, r_.stride,
                                         r_.records.data() + i * code_stride(r_.stride));
  });
  records_ = r_.records.data();
}

void StackWalk::finish(float* out) {
  r_.pool.share(batch_.size(), [&](std::size_t token) {
    const float* x = settled(token);
    float* normed = r_.scratch[thread_].data();
    if (s_.final_norm) r_.kernels.norm(r_.stack.final_norm, x, normed);
    std::memcpy(out + token * s_.width, s_.final_norm ? normed : x, s_.width * sizeof(float));
  });
}

}  // namespace loquent
