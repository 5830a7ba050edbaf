// Attention in tiles: up to 16 queries at once over keys and values of 16 bits (upper halves of floats),
// chunk by chunk as in attention_kernels.hpp. What a query gathers does not depend on those beside it.
//
// Keys and values lie as the tiles read them: [width/2][16 positions][2] and [8 pairs of
// positions][width][2].
#pragma once

#include <cstring>

#include "attention_kernels.hpp"
#include "lanes_avx512.hpp"
#include "tiles_amx.hpp"

namespace loquent {

namespace {

constexpr std::size_t kPairs = kBlockPositions / 2;
constexpr std::size_t kTileColumns = 32;  // of queries and keys, in one tile
constexpr std::size_t kStaged = 8;        // such tiles of the queries that are made once for a call
constexpr std::size_t kStrip = 64;        // numbers of a head whose sums are in the tiles 0 to 3

// To the nearest, ties to even; what is no number stays none.
inline __m256i to_bf16(Lanes x) {
  const __m512i bits = _mm512_castps_si512(x.v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __mmask16 none = _mm512_cmp_ps_mask(x.v, x.v, _CMP_UNORD_Q);
  const __m512i made = _mm512_mask_blend_epi32(none, rounded, _mm512_set1_epi32(0x7fc00000));
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(made, 16));
}

inline void store_bf16(std::uint16_t* out, Lanes x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), to_bf16(x));
}

void put_bf16(const Put& p) {
  std::uint16_t* keys = reinterpret_cast<std::uint16_t*>(p.keys) + 2 * p.slot;
  std::uint16_t* values = reinterpret_cast<std::uint16_t*>(p.values) + p.slot / 2 * 2 * p.width + p.slot % 2;
  std::uint16_t key[16], value[16];
  for (std::size_t d = 0; d < p.width; d += 16) {
    store_bf16(key, Lanes::load(p.key + d));
    store_bf16(value, Lanes::load(p.value + d));
    for (std::size_t i = 0; i < 16; i += 2)
      std::memcpy(keys + (d + i) * kBlockPositions, key + i, 2 * sizeof key[0]);
    for (std::size_t i = 0; i < 16; ++i) values[2 * (d + i)] = value[i];
  }
}

void score_bf16(const float* query, const std::byte* keys, std::size_t width, float* scores) {
  Lanes sums = Lanes::set(0.0f);
  for (std::size_t d = 0; d < width; d += 2, keys += 4 * kBlockPositions) {
    const __m512i pairs = _mm512_loadu_si512(keys);
    const Lanes even{_mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16))};
    const Lanes odd{_mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(int(0xffff0000u))))};
    sums = Lanes::fma(Lanes::set(query[d + 1]), odd, Lanes::fma(Lanes::set(query[d]), even, sums));
  }
  sums.store(scores);
}

// The tiles 0 to 3 hold sums, 4 what lies in memory for 32 columns of the queries, 5 for 16; 6 and 7 are
// what is multiplied with 4 and 5.
constexpr auto kQueryShapes = shapes_of_rows([](std::size_t queries) {
  TileShapes made;
  for (std::size_t tile = 0; tile < 4; ++tile) made.set(tile, queries, 64);
  made.set(4, kPairs * 2, 64), made.set(5, kPairs, 64);
  made.set(6, queries, 64), made.set(7, queries, 32);
  return made;
});

// Up to 16 queries at work.
class TiledAttention {
 public:
  explicit TiledAttention(const Attend& task) : a_(task) {}

  void run() {
    const Tiles tiles(kQueryShapes[a_.queries]);
    for (std::size_t q = 0; q < a_.queries; ++q) {
      most_[q] = -INFINITY, sum_[q] = 0.0f;
      for (std::size_t d = 0; d < a_.width; d += 16) Lanes::set(0.0f).store(a_.out[q] + d);
    }
    for (std::size_t d = 0; staged() && d < a_.width; d += kTileColumns) stage(d);
    const std::size_t end = a_.limit[a_.queries - 1];
    for (std::size_t first = 0; first < end; first += kChunk) {
      const std::size_t count = end - first < kChunk ? end - first : kChunk;
      score(first, round_up(count, kBlockPositions));
      for (std::size_t q = 0; q < a_.queries; ++q) weigh(q, first, count);
      for (std::size_t d = 0; d < a_.width; d += kStrip) gather(first, count, d);
    }
    for (std::size_t q = 0; q < a_.queries; ++q) {
      const Lanes factor = Lanes::set(sum_[q] > 0.0f ? 1.0f / sum_[q] : 0.0f);
      for (std::size_t d = 0; d < a_.width; d += 16)
        (Lanes::load(a_.out[q] + d) * factor).store(a_.out[q] + d);
    }
  }

 private:
// Instructions name their tiles: what is done with up to four of them is written out.
#define SOME_TILES(count, DO)   \
  { DO(0) }                     \
  if (count > 1) { DO(1) }      \
  if (count > 2) { DO(2) }      \
  if (count > 3) { DO(3) }

  const std::byte* block(std::size_t position) const { return a_.blocks[position / kBlockPositions]; }

  // A tile of the queries, which heads of more columns than usual make for each four blocks anew.
  bool staged() const { return a_.width <= kStaged * kTileColumns; }
  void stage(std::size_t d) {
    auto& query = query_[d / kTileColumns % kStaged];
    for (std::size_t q = 0; q < a_.queries; ++q)
      for (std::size_t i = 0; i < kTileColumns && d + i < a_.width; i += 16)
        store_bf16(query[q] + i, Lanes::load(a_.query[q] + d + i));
    finish_writing();
  }

  // Products of the queries with the keys of a chunk, four blocks at a time.
  void score(std::size_t first, std::size_t count) {
    for (std::size_t at = 0; at < count; at += 4 * kBlockPositions) {
      const std::size_t blocks = count - at < 4 * kBlockPositions ? (count - at) / kBlockPositions : 4;
      const std::byte* keys[4];
      for (std::size_t i = 0; i < blocks; ++i) keys[i] = block(first + at + i * kBlockPositions) + a_.keys;
#define EMPTY(tile) _tile_zero(tile);
      SOME_TILES(blocks, EMPTY)
#undef EMPTY
      for (std::size_t d = 0; d < a_.width; d += kTileColumns) {
        if (!staged()) stage(d);
        const auto& query = query_[d / kTileColumns % kStaged];
        if (a_.width - d >= kTileColumns) {
          _tile_loadd(6, query, sizeof query[0]);
#define MULTIPLY(tile) \
  _tile_loadd(4, keys[tile] + d * 2 * kBlockPositions, 64); \
  _tile_dpbf16ps(tile, 6, 4);
          SOME_TILES(blocks, MULTIPLY)
#undef MULTIPLY
        } else {
          _tile_loadd(7, query, sizeof query[0]);
#define MULTIPLY(tile) \
  _tile_loadd(5, keys[tile] + d * 2 * kBlockPositions, 64); \
  _tile_dpbf16ps(tile, 7, 5);
          SOME_TILES(blocks, MULTIPLY)
#undef MULTIPLY
        }
      }
#define STORE(tile) _tile_stored(tile, scores_[0] + at + tile * kBlockPositions, sizeof scores_[0]);
      SOME_TILES(blocks, STORE)
#undef STORE
    }
    finish_writing();
  }

  // Turns a query's scores into e^(score - largest so far), zero for keys that it does not see, and
  // corrects what it has gathered where a larger one turned up.
  void weigh(std::size_t q, std::size_t first, std::size_t count) {
    const std::size_t left = a_.limit[q] > first ? a_.limit[q] - first : 0;
    const std::size_t own = left < count ? left : count, total = round_up(count, kBlockPositions);
    float* scores = scores_[q];
    if (a_.bias[q])
      for (std::size_t i = 0; i < total; i += 16)
        (Lanes::load(scores + i) + Lanes::load(a_.bias[q] + first + i)).store(scores + i);
    for (std::size_t i = own; i < round_up(own, 16); ++i) scores[i] = -INFINITY;
    Lanes tops = Lanes::set(most_[q]);
    for (std::size_t i = 0; i < own; i += 16) tops = Lanes::max(Lanes::load(scores + i), tops);
    const float top = _mm512_reduce_max_ps(tops.v), keep = most_[q] == top ? 1.0f : expf(most_[q] - top);
    Lanes sums = Lanes::set(0.0f);
    for (std::size_t i = 0; i < total; i += 16) {
      Lanes e = Lanes::set(0.0f);
      if (i < own) {
        const Lanes s = Lanes::load(scores + i);
        e = Lanes::below(s, Lanes::set(-1e37f), e, exponential(s - Lanes::set(top)));
        sums = sums + e;
      }
      store_bf16(weights_[q] + i, e);
    }
    sum_[q] = sum_[q] * keep + sum_lanes(sums);
    most_[q] = top;
    if (keep != 1.0f)
      for (std::size_t d = 0; d < a_.width; d += 16)
        (Lanes::load(a_.out[q] + d) * Lanes::set(keep)).store(a_.out[q] + d);
  }

  // Adds the weights of a chunk times its values, for up to 64 numbers of the head from `d` on.
  void gather(std::size_t first, std::size_t count, std::size_t d) {
    const std::size_t strips = a_.width - d < kStrip ? (a_.width - d) / 16 : 4;
    for (std::size_t q = 0; q < a_.queries; ++q)
      for (std::size_t i = 0; i < strips * 16; i += 16) Lanes::load(a_.out[q] + d + i).store(sums_[q] + i);
    finish_writing();
#define LOAD(tile) _tile_loadd(tile, sums_[0] + tile * 16, sizeof sums_[0]);
    SOME_TILES(strips, LOAD)
#undef LOAD
    for (std::size_t at = 0; at < count; at += kBlockPositions) {
      const std::byte* values = block(first + at) + a_.values + d * 4;
      std::size_t stride = a_.width * 4;
      if (count - at < kBlockPositions) {
        values = written(values, stride, count - at, strips);
        stride = kStrip * 4;
      }
      _tile_loadd(7, weights_[0] + at, sizeof weights_[0]);
#define MULTIPLY(tile)                      \
  _tile_loadd(5, values + tile * 64, stride); \
  _tile_dpbf16ps(tile, 7, 5);
      SOME_TILES(strips, MULTIPLY)
#undef MULTIPLY
    }
#define STORE(tile) _tile_stored(tile, sums_[0] + tile * 16, sizeof sums_[0]);
    SOME_TILES(strips, STORE)
#undef STORE
    finish_writing();
    for (std::size_t q = 0; q < a_.queries; ++q)
      for (std::size_t i = 0; i < strips * 16; i += 16) Lanes::load(sums_[q] + i).store(a_.out[q] + d + i);
  }
#undef SOME_TILES

  // The first `count` positions of a block's values; zeros for those that are not written, which may be
  // no numbers.
  const std::byte* written(const std::byte* values, std::size_t stride, std::size_t count,
                           std::size_t strips) {
    for (std::size_t pair = 0; pair < kPairs; ++pair) {
      const std::size_t there = count > 2 * pair ? count - 2 * pair : 0;
      const __m512i mask = _mm512_set1_epi32(there == 0 ? 0 : there == 1 ? 0xffff : -1);
      for (std::size_t i = 0; i < strips; ++i) {
        const __m512i pairs = _mm512_loadu_si512(values + pair * stride + 64 * i);
        _mm512_storeu_si512(last_[pair] + 32 * i, _mm512_and_si512(pairs, mask));
      }
    }
    finish_writing();
    return reinterpret_cast<const std::byte*>(last_);
  }

  const Attend& a_;
  float most_[kMostQueries], sum_[kMostQueries];
  alignas(64) float scores_[kMostQueries][kChunk + 16];  // rows begin in different sets of the cache
  alignas(64) float sums_[kMostQueries][kStrip];
  alignas(64) std::uint16_t weights_[kMostQueries][kChunk + 32];
  alignas(64) std::uint16_t query_[kStaged][kMostQueries][kTileColumns];
  alignas(64) std::uint16_t last_[kPairs][2 * kStrip];
};

void attend_bf16(const Attend& task) { TiledAttention(task).run(); }

}  // namespace

}  // namespace loquent
