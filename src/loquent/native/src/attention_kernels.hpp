// Attention of a few queries over one row's keys and values (Vaswani et al. 2017, §3.2.1), in one
// pass that corrects earlier sums when a larger score turns up (Milakov and Gimelshein 2018).
// Keys stand transposed in each block of 16 positions, [width][16], values as they are, [16][width].
#pragma once

#include "float_kernels.hpp"

namespace loquent {

// Chunks start at fixed positions of the row, so what a query gathers does not depend on the queries
// beside it or on how the row came into the memory.
constexpr std::size_t kChunk = 128;
constexpr std::size_t kQueries = 4;  // at a time

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

template <class V, class E>
inline void scores_of_block(const Attend& a, const E* keys, std::size_t first,
                            float (*scores)[kChunk]) {
  constexpr std::size_t parts = kBlockPositions / V::width;
  V sums[kQueries][parts];
  for (std::size_t q = 0; q < kQueries; ++q)
    for (std::size_t part = 0; part < parts; ++part) sums[q][part] = V::set(0.0f);
  const float *q0 = a.query[0], *q1 = a.query[1], *q2 = a.query[2], *q3 = a.query[3];
  for (std::size_t d = 0; d < a.width; ++d, keys += kBlockPositions) {
    for (std::size_t part = 0; part < parts; ++part) {
      const V key = V::load(keys + part * V::width);
      sums[0][part] = V::fma(V::set(q0[d]), key, sums[0][part]);
      if (a.queries == 1) continue;
      sums[1][part] = V::fma(V::set(q1[d]), key, sums[1][part]);
      sums[2][part] = V::fma(V::set(q2[d]), key, sums[2][part]);
      sums[3][part] = V::fma(V::set(q3[d]), key, sums[3][part]);
    }
  }
  const std::size_t into = first % kChunk;
  for (std::size_t q = 0; q < a.queries; ++q)
    for (std::size_t part = 0; part < parts; ++part) {
      const std::size_t at = part * V::width;
      const V s = sums[q][part];
      (a.bias[q] ? s + V::load(a.bias[q] + first + at) : s).store(scores[q] + into + at);
    }
}

// Turns the first `count` scores into e^(score - most) and the rest of `total` into zeros.
template <class V>
inline float exponentials(float* scores, std::size_t count, std::size_t total, float most) {
  const V top = V::set(most);
  for (std::size_t i = count; i < total; ++i) scores[i] = -INFINITY;
  V sum = V::set(0.0f);
  const std::size_t filled = round_up(count, V::width);
  for (std::size_t i = 0; i < filled; i += V::width) {
    const V s = V::load(scores + i);
    const V e = V::below(s, V::set(-1e37f), V::set(0.0f), exponential(s - top));
    e.store(scores + i);
    sum = sum + e;
  }
  for (std::size_t i = filled; i < total; ++i) scores[i] = 0.0f;
  return sum_lanes(sum);
}

// out[q] = out[q] * keep[q] + the sum of weights times values, 16 numbers of the head at a time.
template <class V, class E>
inline void gather(const Attend& a, std::size_t first, std::size_t count,
                   const float (*weights)[kChunk], const float* keep) {
  constexpr std::size_t parts = kHeadMultiple / V::width;
  for (std::size_t d = 0; d < a.width; d += kHeadMultiple) {
    V sums[kQueries][parts];
    for (std::size_t q = 0; q < kQueries; ++q)
      for (std::size_t part = 0; part < parts; ++part)
        sums[q][part] = V::load(a.out[q] + d + part * V::width) * V::set(keep[q]);
    for (std::size_t done = 0; done < count; done += kBlockPositions) {
      const std::byte* block = a.blocks[(first + done) / kBlockPositions];
      const E* values = reinterpret_cast<const E*>(block + a.values) + d;
      const std::size_t end = count - done < kBlockPositions ? count : done + kBlockPositions;
      for (std::size_t at = done; at < end; ++at, values += a.width) {
        for (std::size_t part = 0; part < parts; ++part) {
          const V value = V::load(values + part * V::width);
          sums[0][part] = V::fma(V::set(weights[0][at]), value, sums[0][part]);
          if (a.queries == 1) continue;
          sums[1][part] = V::fma(V::set(weights[1][at]), value, sums[1][part]);
          sums[2][part] = V::fma(V::set(weights[2][at]), value, sums[2][part]);
          sums[3][part] = V::fma(V::set(weights[3][at]), value, sums[3][part]);
        }
      }
    }
    for (std::size_t q = 0; q < a.queries; ++q)
      for (std::size_t part = 0; part < parts; ++part)
        sums[q][part].store(a.out[q] + d + part * V::width);
  }
}

template <class V, class E>
void attend(const Attend& task) {
  Attend a = task;
  alignas(64) float scores[kQueries][kChunk];
  // places of queries that are not there repeat the first one with weights of zero
  for (std::size_t q = a.queries; q < kQueries; ++q) {
    a.query[q] = a.query[0], a.out[q] = a.out[0];
    if (a.queries > 1)
      for (float& score : scores[q]) score = 0.0f;
  }
  float most[kQueries], sum[kQueries], keep[kQueries] = {};
  for (std::size_t q = 0; q < kQueries; ++q) most[q] = -INFINITY, sum[q] = 0.0f;
  for (std::size_t q = 0; q < a.queries; ++q)
    for (std::size_t d = 0; d < a.width; ++d) a.out[q][d] = 0.0f;
  const std::size_t end = a.limit[a.queries - 1];
  for (std::size_t first = 0; first < end; first += kChunk) {
    const std::size_t count = end - first < kChunk ? end - first : kChunk;
    for (std::size_t done = 0; done < count; done += kBlockPositions) {
      const std::byte* block = a.blocks[(first + done) / kBlockPositions];
      scores_of_block<V, E>(a, reinterpret_cast<const E*>(block + a.keys), first + done, scores);
    }
    for (std::size_t q = 0; q < a.queries; ++q) {
      const std::size_t left = a.limit[q] > first ? a.limit[q] - first : 0;
      const std::size_t own = left < count ? left : count;
      float top = most[q];
      for (std::size_t i = 0; i < own; ++i) top = scores[q][i] > top ? scores[q][i] : top;
      keep[q] = most[q] == top ? 1.0f : expf(most[q] - top);
      const float added =
          exponentials<V>(scores[q], own, round_up(count, kBlockPositions), top);
      sum[q] = sum[q] * keep[q] + added;
      most[q] = top;
    }
    gather<V, E>(a, first, count, scores, keep);
  }
  for (std::size_t q = 0; q < a.queries; ++q) {
    const V factor = V::set(sum[q] > 0.0f ? 1.0f / sum[q] : 0.0f);
    for (std::size_t d = 0; d < a.width; d += V::width)
      (V::load(a.out[q] + d) * factor).store(a.out[q] + d);
  }
}

}  // namespace loquent
