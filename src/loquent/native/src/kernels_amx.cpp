// The table of AMX: products of many tokens in tiles of up to 16 rows of 64 bytes, all else is AVX-512's.
//
// A tile of weights is 16 rows of a block as they lie in memory, where the bytes for four columns (two, of
// 16 bits) follow those for the four before after 256 bytes. Sums of whole numbers are exact, and become
// floats as they do where tokens are few: a row's bits do not depend on which of the two it was.
#include <immintrin.h>

#include "lanes_avx512.hpp"
#include "products.hpp"

namespace loquent {

namespace {

constexpr std::size_t kRows = 16;              // of a tile, and numbers of 32 bits in one of them
constexpr std::size_t kFewest = 8;             // tokens for which whole numbers go into tiles
constexpr std::size_t kStep = kBlockRows * 4;  // bytes

// The tokens in tiles of one height, so that one configuration serves all: the last begins where it ends
// with the last token, and gives to a few tokens the sums that they have already.
struct Cut {
  explicit Cut(std::size_t count)
      : tokens(count), tiles((count + kRows - 1) / kRows), rows((count + tiles - 1) / tiles) {}

  std::size_t first(std::size_t tile) const {
    return (tile + 1) * rows <= tokens ? tile * rows : tokens - rows;
  }

  const std::size_t tokens, tiles, rows;
};

// GCC 12's loads of tiles do not say that they read memory: what stands before this has been written.
inline void finish_writing() { __asm__ volatile("" ::: "memory"); }

// The shapes of the tiles while products are made. A thread that leaves them has no state of tiles, which
// the system would have to keep for it.
class Shapes {
 public:
  // Rows of activations, and bytes of each.
  Shapes(std::size_t rows, std::size_t row_bytes) {
    struct alignas(64) {
      std::uint8_t palette = 1, start = 0, reserved[14] = {};
      std::uint16_t row_bytes[16] = {};
      std::uint8_t rows[16] = {};
    } shapes;
    static_assert(sizeof shapes == 64);
    for (std::size_t tile = 0; tile < 8; ++tile) {
      const bool weights = tile == 4 || tile == 5, sums = tile < 4;
      shapes.rows[tile] = std::uint8_t(weights ? row_bytes / 4 : rows);
      shapes.row_bytes[tile] = std::uint16_t(weights || sums ? 4 * kRows : row_bytes);
    }
    finish_writing();
    _tile_loadconfig(&shapes);
  }
  ~Shapes() { _tile_release(); }
  Shapes(const Shapes&) = delete;
  Shapes& operator=(const Shapes&) = delete;
};

// Instructions name their tiles, so loops over them are written out: sums are in the tiles 0 to 3, weights
// in 4 and 5, activations by turns in 6 and 7.
#define EACH_TILE(DO) DO(0, 6) DO(1, 7) DO(2, 6) DO(3, 7)

// For 16 rows of weights, the products with the columns of one tile.
using Sums = std::int32_t[kTokens][kRows];

inline void multiply_codes(const std::byte* weights, std::size_t weight_stride, const std::byte* codes,
                           std::size_t stride, const Cut& cut, Sums& sums) {
  finish_writing();
  _tile_loadd(4, weights, weight_stride);
#define MULTIPLY(tile, x)                                     \
  if (tile < cut.tiles) {                                     \
    _tile_zero(tile);                                         \
    _tile_loadd(x, codes + cut.first(tile) * stride, stride); \
    _tile_dpbssd(tile, x, 4);                                 \
  }
#define STORE(tile, x) \
  if (tile < cut.tiles) _tile_stored(tile, sums[cut.first(tile)], sizeof sums[0]);
  EACH_TILE(MULTIPLY)
  EACH_TILE(STORE)
#undef MULTIPLY
#undef STORE
}

inline Lanes floats(const std::int32_t* sums) {
  return {_mm512_cvtepi32_ps(_mm512_loadu_si512(sums))};
}

struct Int8 {
  static constexpr Kind kind = Kind::int8;
  static constexpr std::size_t fewest = kFewest, row_bytes = kGroup;

  void begin(const Part&, std::size_t) {}

  void multiply(const Part& part, const Cut& cut) {
    multiply_codes(part.weights + part.row * 4, kStep, part.codes(0), part.stride, cut, sums);
    for (std::size_t t = 0; t < cut.tokens; ++t) {
      float* y = part.sum(t, 0);
      Lanes::fma(floats(sums[t]), Lanes::set(*part.scales(t)), Lanes::load(y)).store(y);
    }
  }

  alignas(64) Sums sums;
};

// Codes of 4 bits are written out as bytes for a tile of half the height.
struct Int4 {
  static constexpr Kind kind = Kind::int4;
  static constexpr std::size_t fewest = kFewest, row_bytes = kInt4Group;
  static constexpr std::size_t half_bytes = block_bytes(Kind::int4, kInt4Group);

  void begin(const Part&, std::size_t) {}

  void multiply(const Part& part, const Cut& cut) {
    for (std::size_t half = 0; half < 2; ++half) {
      write_out(part.weights + half * half_bytes + kStep + part.row * 4);
      multiply_codes(weights[0], sizeof weights[0], part.codes(0) + half * kInt4Group, part.stride, cut,
                     sums[half]);
    }
    Lanes scale[2], minimum[2];
    for (std::size_t half = 0; half < 2; ++half) {
      const std::byte* block = part.weights + half * half_bytes;
      const Half* halves = reinterpret_cast<const Half*>(block) + part.row;
      scale[half] = Lanes::load(halves), minimum[half] = Lanes::load(halves + kBlockRows);
    }
    for (std::size_t t = 0; t < cut.tokens; ++t) {
      Lanes y = Lanes::load(part.sum(t, 0));
      for (std::size_t half = 0; half < 2; ++half) {
        y = Lanes::fma(scale[half], floats(sums[half][t]) * Lanes::set(*part.scales(t)), y);
        y = Lanes::fma(minimum[half], Lanes::set(part.totals(t)[half]), y);
      }
      y.store(part.sum(t, 0));
    }
  }

  void write_out(const std::byte* codes) {
    const __m512i low = _mm512_set1_epi32(0x0f0f0f0f);
    for (std::size_t i = 0; i < kInt4Group / 4; i += 2, codes += kStep) {
      const __m512i bytes = _mm512_loadu_si512(codes);
      _mm512_storeu_si512(weights[i], _mm512_and_si512(bytes, low));
      _mm512_storeu_si512(weights[i + 1], _mm512_and_si512(_mm512_srli_epi16(bytes, 4), low));
    }
  }

  alignas(64) Sums sums[2];
  alignas(64) std::byte weights[kInt4Group / 4][4 * kRows];
};

// A float is the sum of three of 16 bits, exactly: of the upper, the middle and the lower 8 bits of its 24.
// What is infinite becomes no number. Also for few tokens: no other instructions round as these do.
struct Bf16 {
  static constexpr Kind kind = Kind::bf16;
  static constexpr std::size_t fewest = 1, row_bytes = kGroup;
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

template <class Form>
void walk(Part part, std::size_t bytes, std::size_t rows, std::size_t tokens) {
  const Cut cut(tokens);
  const Shapes shapes(cut.rows, Form::row_bytes);
  Form form;
  for (; part.group < part.groups; ++part.group, part.weights += bytes) {
    form.begin(part, tokens);
    Part strip = part;
    for (std::size_t at = 0; at < rows; at += kRows, strip.row += kRows) {
      prefetch(part.weights, bytes, at / kRows, rows / kRows);
      form.multiply(strip, cut);
    }
  }
}

template <class Form>
void product(const Product& p) {
  if (p.tokens < Form::fewest) return avx512_kernels().product[std::size_t(Form::kind)](p);
  multiply_in_groups<Lanes>(p, walk<Form>);
}

}  // namespace

const Kernels& amx_kernels() {
  static const Kernels table = [] {
    Kernels changed = avx512_kernels();
    changed.name = "amx";
    changed.product[std::size_t(Kind::bf16)] = product<Bf16>;
    changed.product[std::size_t(Kind::int8)] = product<Int8>;
    changed.product[std::size_t(Kind::int4)] = product<Int4>;
    return changed;
  }();
  return table;
}

}  // namespace loquent
