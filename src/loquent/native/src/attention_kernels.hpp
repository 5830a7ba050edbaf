// Attention of a few queries over one row's keys and values (Vaswani et al. 2017, §3.2.1), in one
// pass that corrects earlier sums when a larger score turns up (Milakov and Gimelshein 2018).
// Keys stand transposed in each block of 16 positions, [width][16], values as they are, [16][width].
#pragma once

#include "float_kernels.hpp"
#include "unroll.hpp"

namespace loquent {

// Chunks start at fixed positions of the row, so what a query gathers does not depend on the queries
// beside it or on how the row came into the memory.
constexpr std::size_t kChunk = 128;
constexpr std::size_t kPiece = 64;  // numbers of a head that are made ready at a time
template <class V>
constexpr std::size_t kQueries = V::width < 16 ? 4 : kMostQueries;  // at a time: by the number of registers

template <class V, class E>
void put(const Put& p) {
  E* keys = reinterpret_cast<E*>(p.keys) + p.slot;
  E* values = reinterpret_cast<E*>(p.values) + p.slot * p.width;
  E key[kHeadMultiple];
  for (std::size_t d = 0; d < p.width; d += kHeadMultiple) {
    store_all<V>(p.key + d, key);
    store_all<V>(p.value + d, values + d);
    for (std::size_t i = 0; i < kHeadMultiple; ++i) keys[(d + i) * kBlockPositions] = key[i];
  }
}

template <class V, class E>
void score(const float* query, const std::byte* keys, std::size_t width, float* scores) {
  const E* key = reinterpret_cast<const E*>(keys);
  V sums[kBlockPositions / V::width];
  for (V& each : sums) each = V::set(0.0f);
  for (std::size_t d = 0; d < width; ++d)
    for (V& each : sums) each = V::fma(V::set(query[d]), V::load(key), each), key += V::width;
  for (const V& each : sums) each.store(scores), scores += V::width;
}

// Q queries, some of which may not be there, at work. As many blocks, or numbers of the head, are taken at
// once as it needs that eight sums do not wait for each other.
template <class V, class E, std::size_t Q>
class Attention {
  static constexpr std::size_t kParts = kBlockPositions / V::width;
  static constexpr std::size_t kAtOnce = Q * kParts < 8 ? 8 / (Q * kParts) : 1;
  static_assert(kBlockPositions == kHeadMultiple);

 public:
  explicit Attention(const Attend& task) : a_(task) {}

  void run() {
    for (std::size_t q = 0; q < a_.queries; ++q) {
      most_[q] = -INFINITY, sum_[q] = 0.0f;
      for (std::size_t d = 0; d < a_.width; ++d) a_.out[q][d] = 0.0f;
    }
    const std::size_t end = a_.limit[a_.queries - 1];
    for (std::size_t first = 0; first < end; first += kChunk) {
      const std::size_t count = end - first < kChunk ? end - first : kChunk;
      score(first, round_up(count, kBlockPositions));
      for (std::size_t q = 0; q < a_.queries; ++q) weigh(q, first, count);
      std::size_t d = 0;
      for (; a_.width - d >= kAtOnce * kHeadMultiple; d += kAtOnce * kHeadMultiple)
        gather<kAtOnce>(first, count, d);
      for (; d < a_.width; d += kHeadMultiple) gather<1>(first, count, d);
    }
    for (std::size_t q = 0; q < a_.queries; ++q) {
      const V factor = V::set(sum_[q] > 0.0f ? 1.0f / sum_[q] : 0.0f);
      for (std::size_t d = 0; d < a_.width; d += V::width)
        (V::load(a_.out[q] + d) * factor).store(a_.out[q] + d);
    }
  }

 private:
  const std::byte* block(std::size_t position) const { return a_.blocks[position / kBlockPositions]; }

  // Products of the queries with the keys of a chunk, a piece of the head after the other.
  void score(std::size_t first, std::size_t total) {
    for (std::size_t d = 0; d < a_.width; d += kPiece) {
      const std::size_t numbers = a_.width - d < kPiece ? a_.width - d : kPiece;
      if (first == 0 || a_.width > kPiece)
        for (std::size_t q = 0; q < Q; ++q)
          for (std::size_t i = 0; i < numbers; i += V::width)
            (q < a_.queries ? V::load(a_.query[q] + d + i) : V::set(0.0f)).store(query_[q] + i);
      std::size_t at = 0;
      for (; total - at >= kAtOnce * kBlockPositions; at += kAtOnce * kBlockPositions)
        score_blocks<kAtOnce>(first, at, d, numbers);
      for (; at < total; at += kBlockPositions) score_blocks<1>(first, at, d, numbers);
    }
  }

  template <std::size_t B>
  void score_blocks(std::size_t first, std::size_t at, std::size_t d, std::size_t numbers) {
    const E* keys[B];
    V sums[B][Q][kParts];
    UNROLL for (std::size_t b = 0; b < B; ++b) {
      if (Q <= 4 && d == 0) {
        ask(first + at + (B + b) * kBlockPositions, a_.keys);
        ask(first + at + b * kBlockPositions, a_.values);
      }
      keys[b] = reinterpret_cast<const E*>(block(first + at + b * kBlockPositions) + a_.keys) +
                d * kBlockPositions;
      UNROLL for (std::size_t q = 0; q < Q; ++q)
        UNROLL for (std::size_t part = 0; part < kParts; ++part)
          sums[b][q][part] = d ? V::load(place<B>(q, b, part, at)) : V::set(0.0f);
    }
    for (std::size_t i = 0; i < numbers; ++i)
      UNROLL for (std::size_t b = 0; b < B; ++b)
        UNROLL for (std::size_t part = 0; part < kParts; ++part) {
          const V key = V::load(keys[b] + i * kBlockPositions + part * V::width);
          UNROLL for (std::size_t q = 0; q < Q; ++q)
            sums[b][q][part] = V::fma(V::set(query_[q][i]), key, sums[b][q][part]);
        }
    UNROLL for (std::size_t b = 0; b < B; ++b)
      UNROLL for (std::size_t q = 0; q < Q; ++q)
        UNROLL for (std::size_t part = 0; part < kParts; ++part)
          sums[b][q][part].store(place<B>(q, b, part, at));
  }

  // Asks for a block's keys or values: blocks lie apart, so that no processor knows which comes next.
  [[gnu::always_inline]] void ask(std::size_t position, std::size_t offset) const {
    if (position >= a_.limit[a_.queries - 1]) return;
    const std::byte* from = block(position) + offset;
    for (std::size_t i = 0; i < a_.width * kBlockPositions * sizeof(E); i += 64) __builtin_prefetch(from + i);
  }

  template <std::size_t B>
  float* place(std::size_t q, std::size_t b, std::size_t part, std::size_t at) {
    return scores_[q] + at + b * kBlockPositions + part * V::width;
  }

  // Turns a query's scores into e^(score - largest so far), zero for keys that it does not see.
  void weigh(std::size_t q, std::size_t first, std::size_t count) {
    const std::size_t left = a_.limit[q] > first ? a_.limit[q] - first : 0;
    const std::size_t own = left < count ? left : count, filled = round_up(own, V::width);
    float* scores = scores_[q];
    if (a_.bias[q])
      for (std::size_t i = 0; i < filled; i += V::width)
        (V::load(scores + i) + V::load(a_.bias[q] + first + i)).store(scores + i);
    for (std::size_t i = own; i < filled; ++i) scores[i] = -INFINITY;
    V tops = V::set(most_[q]);
    for (std::size_t i = 0; i < filled; i += V::width) tops = V::max(V::load(scores + i), tops);
    const float top = max_lanes(tops);
    V sums = V::set(0.0f);
    for (std::size_t i = 0; i < filled; i += V::width) {
      const V s = V::load(scores + i);
      const V e = V::below(s, V::set(-1e37f), V::set(0.0f), exponential(s - V::set(top)));
      e.store(scores + i);
      sums = sums + e;
    }
    for (std::size_t i = filled; i < count; ++i) scores[i] = 0.0f;
    keep_[q] = most_[q] == top ? 1.0f : expf(most_[q] - top);
    sum_[q] = sum_[q] * keep_[q] + sum_lanes(sums);
    most_[q] = top;
  }

  // out[q] = out[q] * keep[q] + the sum of weights times values, D times 16 numbers of the head.
  template <std::size_t D>
  void gather(std::size_t first, std::size_t count, std::size_t d) {
    V sums[Q][D * kParts];
    UNROLL for (std::size_t q = 0; q < Q; ++q)
      UNROLL for (std::size_t part = 0; part < D * kParts; ++part)
        sums[q][part] = q < a_.queries ? V::load(a_.out[q] + d + part * V::width) * V::set(keep_[q])
                                       : V::set(0.0f);
    for (std::size_t done = 0; done < count; done += kBlockPositions) {
      const E* values = reinterpret_cast<const E*>(block(first + done) + a_.values) + d;
      const std::size_t end = count - done < kBlockPositions ? count : done + kBlockPositions;
      for (std::size_t at = done; at < end; ++at, values += a_.width)
        UNROLL for (std::size_t part = 0; part < D * kParts; ++part) {
          const V value = V::load(values + part * V::width);
          UNROLL for (std::size_t q = 0; q < Q; ++q)
            sums[q][part] = V::fma(V::set(scores_[q][at]), value, sums[q][part]);
        }
    }
    for (std::size_t q = 0; q < a_.queries; ++q)
      for (std::size_t part = 0; part < D * kParts; ++part)
        sums[q][part].store(a_.out[q] + d + part * V::width);
  }

  const Attend& a_;
  float most_[Q], sum_[Q], keep_[Q];
  alignas(64) float query_[Q][kPiece];
  alignas(64) float scores_[Q][kChunk + 16];  // rows begin in different sets of a cache
};

template <class V, class E>
void attend(const Attend& task) {
  if (task.queries == 1) return Attention<V, E, 1>(task).run();
  if constexpr (kQueries<V> > 8)
    if (task.queries > 8) return Attention<V, E, kQueries<V>>(task).run();
  if constexpr (kQueries<V> > 4)
    if (task.queries > 4) return Attention<V, E, 8>(task).run();
  Attention<V, E, 4>(task).run();
}

}  // namespace loquent
