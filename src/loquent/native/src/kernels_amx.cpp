// The table of AMX: products of many tokens in tiles of up to 16 rows of 64 bytes, and attention; all else
// is AVX-512's.
//
// A tile of weights is 16 rows of a block as they lie in memory, where the bytes for four columns (two, of
// 16 bits) follow those for the four before after 256 bytes. Sums of whole numbers are exact, and become
// floats as they do where tokens are few: a row's bits do not depend on which of the two it was.
#include "attention_amx.hpp"
#include "lanes_avx512.hpp"
#include "products.hpp"
#include "tiles_amx.hpp"

namespace loquent {

namespace {

constexpr std::size_t kRows = 16;              // of a tile, and numbers of 32 bits in one of them
constexpr std::size_t kFewest = 8;             // tokens for which whole numbers go into tiles
constexpr std::size_t kStep = kBlockRows * 4;  // bytes

// The tokens in tiles of one height, so that one configuration serves all: the last begins where it ends
// with the last token, and has a few tokens that the one before it has too.
struct Cut {
  explicit Cut(std::size_t count)
      : tokens(count), tiles((count + kRows - 1) / kRows), rows((count + tiles - 1) / tiles) {}

  std::size_t first(std::size_t tile) const {
    return (tile + 1) * rows <= tokens ? tile * rows : tokens - rows;
  }

  std::size_t known(std::size_t tile) const { return tile * rows - first(tile); }

  const std::size_t tokens, tiles, rows;
};

// The tiles 0 to 3 hold sums, 4 and 5 weights, 6 and 7 activations, whose rows have so many bytes.
template <std::size_t row_bytes>
constexpr auto kProductShapes = shapes_of_rows([](std::size_t rows) {
  TileShapes made;
  for (std::size_t tile = 0; tile < 4; ++tile) made.set(tile, rows, 4 * kRows);
  for (std::size_t tile = 4; tile < 6; ++tile) made.set(tile, row_bytes / 4, 4 * kRows);
  for (std::size_t tile = 6; tile < 8; ++tile) made.set(tile, rows, row_bytes);
  return made;
});

// For 16 rows of weights, the products with the columns of one tile.
template <std::size_t T>
using Sums = std::int32_t[T][kRows];

template <std::size_t T>
inline void multiply_codes(const std::byte* weights, std::size_t weight_stride, const std::byte* codes,
                           std::size_t stride, Sums<T>& sums) {
  finish_writing();
  _tile_zero(0);
  _tile_loadd(4, weights, weight_stride);
  _tile_loadd(6, codes, stride);
  _tile_dpbssd(0, 6, 4);
  _tile_stored(0, sums, sizeof sums[0]);
  finish_writing();
}

// The next token's record; told to be computed here, not kept for all tokens at once, which registers do not
// suffice for.
inline const std::byte* next(const std::byte* record, std::size_t stride) {
  record += stride;
  __asm__("" : "+r"(record));
  return record;
}

inline Lanes value(const std::byte* record) { return Lanes::set(*reinterpret_cast<const float*>(record)); }

inline Lanes floats(const std::int32_t* sums) {
  return {_mm512_cvtepi32_ps(_mm512_load_si512(sums))};
}

// A group of columns with T tokens and 16 rows: its products, and what they add to the tokens' sums.
struct Int8 {
  static constexpr Kind kind = Kind::int8;
  static constexpr std::size_t row_bytes = kGroup;

  template <std::size_t T>
  using Sums = loquent::Sums<T>[1];

  template <std::size_t T>
  static void multiply(const Part& part, Sums<T>& sums) {
    multiply_codes<T>(part.weights + part.row * 4, kStep, part.codes(0), part.stride, sums[0]);
  }
  template <std::size_t T>
  static void add(const Part& part, const Sums<T>& sums, Lanes (&y)[T]) {
    const std::byte* scale = reinterpret_cast<const std::byte*>(part.scales(0));
    UNROLL for (std::size_t t = 0; t < T; ++t, scale = next(scale, part.stride))
      y[t] = Lanes::fma(floats(sums[0][t]), value(scale), y[t]);
  }
};

// Codes of 4 bits are written out as bytes for a tile of half the height.
struct Int4 {
  static constexpr Kind kind = Kind::int4;
  static constexpr std::size_t row_bytes = kInt4Group;
  static constexpr std::size_t half_bytes = block_bytes(Kind::int4, kInt4Group);
  using Weights = std::byte[kInt4Group / 4][4 * kRows];
  template <std::size_t T>
  using Sums = loquent::Sums<T>[2];

  template <std::size_t T>
  static void multiply(const Part& part, Sums<T>& sums) {
    alignas(64) Weights weights[2];
    for (std::size_t half = 0; half < 2; ++half) {
      write_out(part.weights + half * half_bytes + kStep + part.row * 4, weights[half]);
      multiply_codes<T>(weights[half][0], sizeof weights[half][0], part.codes(0) + half * kInt4Group,
                        part.stride, sums[half]);
    }
  }
  template <std::size_t T>
  static void add(const Part& part, const Sums<T>& sums, Lanes (&y)[T]) {
    for (std::size_t half = 0; half < 2; ++half) {
      const Half* halves = reinterpret_cast<const Half*>(part.weights + half * half_bytes) + part.row;
      const Lanes scale = Lanes::load(halves), minimum = Lanes::load(halves + kBlockRows);
      const std::byte* own = reinterpret_cast<const std::byte*>(part.scales(0));
      const std::byte* total = reinterpret_cast<const std::byte*>(part.totals(0) + half);
      UNROLL for (std::size_t t = 0; t < T; ++t) {
        y[t] = Lanes::fma(scale, floats(sums[half][t]) * value(own), y[t]);
        y[t] = Lanes::fma(minimum, value(total), y[t]);
        own = next(own, part.stride), total = next(total, part.stride);
      }
    }
  }

  static void write_out(const std::byte* codes, Weights& weights) {
    const __m512i low = _mm512_set1_epi32(0x0f0f0f0f);
    for (std::size_t i = 0; i < kInt4Group / 4; i += 2, codes += kStep) {
      const __m512i bytes = _mm512_loadu_si512(codes);
      _mm512_store_si512(weights[i], _mm512_and_si512(bytes, low));
      _mm512_store_si512(weights[i + 1], _mm512_and_si512(_mm512_srli_epi16(bytes, 4), low));
    }
  }
};

// T tokens and 16 rows: all groups of columns, the sums in registers. The first of a block's tiles asks for
// the whole groups ahead, so that weights come from memory in the order in which they lie, and into the second
// cache: the first has too few places for what is on its way.
template <class Form, std::size_t T>
void multiply_tile(const Product& p, Part part, const Cut& cut, std::size_t tile) {
  constexpr std::size_t bytes = block_bytes(Form::kind, kGroup);
  const std::size_t token = cut.first(tile), known = cut.known(tile);
  const bool ahead = part.row == p.row % kBlockRows && tile == 0 && cut.tiles < 4;
  const float* scales = row_scales(p);
  const std::size_t row = part.row - p.row % kBlockRows;
  Lanes y[T];
  UNROLL for (std::size_t t = 0; t < T; ++t) {
    y[t] = Lanes::set(0.0f);
    __builtin_prefetch(p.out + (token + t) * p.out_stride + row, 1);  // what is written must not wait
  }
  part.record += token * part.stride;
  const auto group = [&](std::size_t i) {
    Part one = part;
    one.group = i, one.weights += i * bytes;
    return one;
  };
  alignas(64) typename Form::template Sums<T> sums[2];  // one is written while the other is read
  for (std::size_t i = 0; i <= part.groups; ++i) {
    if (i < part.groups) {
      if (ahead) prefetch<2>(group(i + 2).weights, bytes);
      Form::template multiply<T>(group(i), sums[i % 2]);
    }
    if (i > 0) Form::template add<T>(group(i - 1), sums[(i - 1) % 2], y);
  }
  UNROLL for (std::size_t t = 0; t < T; ++t)
    if (t >= known) put(p, scales, row, y[t], p.out + (token + t) * p.out_stride);
}

template <class Form>
void product_codes(const Product& p) {
  using Multiply = void (*)(const Product&, Part, const Cut&, std::size_t);
  static constexpr Multiply of_height[] = {
      multiply_tile<Form, 8>,  multiply_tile<Form, 9>,  multiply_tile<Form, 10>,
      multiply_tile<Form, 11>, multiply_tile<Form, 12>, multiply_tile<Form, 13>,
      multiply_tile<Form, 14>, multiply_tile<Form, 15>, multiply_tile<Form, 16>};
  if (p.tokens < kFewest) return avx512_kernels().product[std::size_t(Form::kind)](p);
  const Cut cut(p.tokens);
  const Tiles tiles(kProductShapes<Form::row_bytes>[cut.rows]);
  const Part start = first_group(p);
  for (std::size_t tile = 0; tile < cut.tiles; ++tile)
    for (std::size_t at = 0; at < p.rows; at += kRows) {
      Part part = start;
      part.row += at;
      of_height[cut.rows - kFewest](p, part, cut, tile);
    }
}

// Instructions name their tiles, so loops over them are written out: activations are by turns in 6 and 7.
#define EACH_TILE(DO) DO(0, 6) DO(1, 7) DO(2, 6) DO(3, 7)

// A float is the sum of three of 16 bits, exactly: of the upper, the middle and the lower 8 bits of its 24.
// What is infinite becomes no number. Also for few tokens: no other instructions round as these do.
struct Bf16 {
  static constexpr std::size_t kParts = 3;

  void begin(const Part& part, std::size_t tokens) {
    for (std::size_t t = 0; t < tokens; ++t)
      for (std::size_t i = 0; i < kGroup; i += kRows) {
        Lanes rest = Lanes::load(part.floats(t) + i);
        for (std::size_t each = 0; each < kParts; ++each) {
          const __m512i bits = _mm512_castps_si512(rest.v);
          _mm256_storeu_si256(reinterpret_cast<__m256i*>(x[each][t] + i),
                              _mm512_cvtepi32_epi16(_mm512_srli_epi32(bits, 16)));
          const __m512i upper = _mm512_and_si512(bits, _mm512_set1_epi32(int(0xffff0000u)));
          rest = rest - Lanes{_mm512_castsi512_ps(upper)};
        }
      }
  }

  void multiply(const Part& part, const Cut& cut) {
    const std::byte* w = part.weights + part.row * 4;
    finish_writing();
    _tile_loadd(4, w, kStep);
    _tile_loadd(5, w + kRows * kStep, kStep);
// All sums are there before one is written: tokens of two tiles get the same from both.
#define LOAD(tile, from) \
  if (tile < cut.tiles) _tile_loadd(tile, part.sum(cut.first(tile), 0), kStep);
#define MULTIPLY(tile, from)                                             \
  if (tile < cut.tiles) {                                                \
    _tile_loadd(from, x[each][cut.first(tile)], sizeof x[0][0]);         \
    _tile_dpbf16ps(tile, from, 4);                                       \
    _tile_loadd(from, x[each][cut.first(tile)] + kGroup / 2, sizeof x[0][0]); \
    _tile_dpbf16ps(tile, from, 5);                                       \
  }
#define STORE(tile, from) \
  if (tile < cut.tiles) _tile_stored(tile, part.sum(cut.first(tile), 0), kStep);
    EACH_TILE(LOAD)
    for (std::size_t each = kParts; each-- > 0;) {
      EACH_TILE(MULTIPLY)
    }
    EACH_TILE(STORE)
#undef LOAD
#undef MULTIPLY
#undef STORE
  }

  alignas(64) std::uint16_t x[kParts][kTokens][kGroup];
};

void walk_bf16(Part part, std::size_t bytes, std::size_t rows, std::size_t tokens) {
  const Cut cut(tokens);
  const Tiles tiles(kProductShapes<kGroup>[cut.rows]);
  Bf16 form;
  for (; part.group < part.groups; ++part.group, part.weights += bytes) {
    form.begin(part, tokens);
    prefetch<2>(part.weights + 2 * bytes, bytes);
    Part strip = part;
    for (std::size_t at = 0; at < rows; at += kRows, strip.row += kRows) form.multiply(strip, cut);
  }
}

void product_bf16(const Product& p) { multiply_in_groups<Lanes>(p, walk_bf16); }

}  // namespace

const Kernels& amx_kernels() {
  static const Kernels table = [] {
    Kernels changed = avx512_kernels();
    changed.name = "amx";
    changed.product[std::size_t(Kind::bf16)] = product_bf16;
    changed.product[std::size_t(Kind::int8)] = product_codes<Int8>;
    changed.product[std::size_t(Kind::int4)] = product_codes<Int4>;
    changed.halves = {kMostQueries, put_bf16, attend_bf16, score_bf16};
    return changed;
  }();
  return table;
}

}  // namespace loquent
