// AVX2 with FMA and F16C: 8 floats, 16 products of 16 bits or 32 of 8 bits at a time.
#include <immintrin.h>

#include "attention_kernels.hpp"
#include "kernels.hpp"

namespace loquent {

namespace {

struct Lanes {
  static constexpr std::size_t width = 8;
  __m256 v;

  static Lanes load(const float* x) { return {_mm256_loadu_ps(x)}; }
  static Lanes load(const Half* x) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)))};
  }
  static Lanes set(float x) { return {_mm256_set1_ps(x)}; }
  void store(float* x) const { _mm256_storeu_ps(x, v); }
  void store(Half* x) const {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(x), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
  }
  static Lanes fma(Lanes a, Lanes b, Lanes c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
  static Lanes max(Lanes a, Lanes b) { return {_mm256_max_ps(a.v, b.v)}; }
  static Lanes min(Lanes a, Lanes b) { return {_mm256_min_ps(a.v, b.v)}; }
  static Lanes abs(Lanes a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
  static Lanes round(Lanes a) {
    return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  static Lanes below(Lanes a, Lanes b, Lanes yes, Lanes no) {
    return {_mm256_blendv_ps(no.v, yes.v, _mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ))};
  }
  static Lanes two_to(Lanes n) {
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n.v), _mm256_set1_epi32(127));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23))};
  }
  static Lanes copy_sign(Lanes size, Lanes sign) {
    const __m256 mask = _mm256_set1_ps(-0.0f);
    return {_mm256_or_ps(_mm256_andnot_ps(mask, size.v), _mm256_and_ps(mask, sign.v))};
  }
};

Lanes operator+(Lanes a, Lanes b) { return {_mm256_add_ps(a.v, b.v)}; }
Lanes operator-(Lanes a, Lanes b) { return {_mm256_sub_ps(a.v, b.v)}; }
Lanes operator*(Lanes a, Lanes b) { return {_mm256_mul_ps(a.v, b.v)}; }
Lanes operator/(Lanes a, Lanes b) { return {_mm256_div_ps(a.v, b.v)}; }

__m256i load(const void* x) { return _mm256_loadu_si256(static_cast<const __m256i*>(x)); }

// What keeps the sums of a tile in registers (GCC 12): loops over a tile are unrolled before arrays are
// taken apart, sums are begun one by one (`= {}` keeps them in memory), and additions stay in the order
// that is written, which would otherwise be changed to one that needs more registers than there are.
#define UNROLL _Pragma("GCC unroll 8")

inline void settle(__m256i& sum) { __asm__("" : "+x"(sum)); }

template <class V, std::size_t T, std::size_t R>
void clear(V (&sums)[T][R]) {
  UNROLL for (std::size_t t = 0; t < T; ++t)
    UNROLL for (std::size_t r = 0; r < R; ++r) sums[t][r] = V{};
}

// One product of R vectors of 8 rows with T tokens, from a row of a block and a token on. Each sum is
// made in the same order whatever T and R are.
struct Tile {
  const Product& p;
  const std::byte* weights;  // of the block, moved on to the first row of the kind's layout
  std::size_t row;
  std::size_t token;

  template <class T>
  const T* record(std::size_t t) const {
    return reinterpret_cast<const T*>(p.codes + (token + t) * code_stride(p.matrix->columns));
  }
  const std::byte* values(std::size_t t) const {
    return record<std::byte>(t) + code_values(p.matrix->columns);
  }
  void put(std::size_t t, std::size_t r, __m256 y) const {
    float* out = p.out + (token + t) * p.out_stride + (row - p.row) + 8 * r;
    if (p.matrix->bias) y = _mm256_add_ps(y, _mm256_loadu_ps(p.matrix->bias + row + 8 * r));
    if (p.add) y = _mm256_add_ps(y, _mm256_loadu_ps(out));
    _mm256_storeu_ps(out, y);
  }
};

struct ProductF32 {
  template <std::size_t T, std::size_t R>
  static void run(const Tile& tile) {
    const std::size_t columns = tile.p.matrix->columns;
    const float* w = reinterpret_cast<const float*>(tile.weights) + tile.row % kBlockRows;
    const float* x[T];
    UNROLL for (std::size_t t = 0; t < T; ++t) x[t] = tile.record<float>(t);
    __m256 sums[T][R];
    clear(sums);
    for (std::size_t k = 0; k < columns; ++k, w += kBlockRows)
      UNROLL for (std::size_t t = 0; t < T; ++t) {
        const __m256 value = _mm256_broadcast_ss(x[t] + k);
        UNROLL for (std::size_t r = 0; r < R; ++r)
          sums[t][r] = _mm256_fmadd_ps(_mm256_loadu_ps(w + 8 * r), value, sums[t][r]);
      }
    UNROLL for (std::size_t t = 0; t < T; ++t)
      UNROLL for (std::size_t r = 0; r < R; ++r) tile.put(t, r, sums[t][r]);
  }
};

struct ProductBf16 {
  template <std::size_t T, std::size_t R>
  static void run(const Tile& tile) {
    const std::size_t columns = tile.p.matrix->columns;
    const std::byte* w = tile.weights + tile.row % kBlockRows * 4;
    const __m256i high = _mm256_set1_epi32(int(0xffff0000u));
    const float* x[T];
    UNROLL for (std::size_t t = 0; t < T; ++t) x[t] = tile.record<float>(t);
    __m256 sums[T][R];
    clear(sums);
    for (std::size_t k = 0; k < columns; k += 2, w += kBlockRows * 4)
      UNROLL for (std::size_t odd = 0; odd < 2; ++odd) {
        __m256 weights[R];
        UNROLL for (std::size_t r = 0; r < R; ++r) {
          __m256i pair = load(w + 32 * r);
          pair = odd ? _mm256_and_si256(pair, high) : _mm256_slli_epi32(pair, 16);
          weights[r] = _mm256_castsi256_ps(pair);
        }
        UNROLL for (std::size_t t = 0; t < T; ++t) {
          const __m256 value = _mm256_broadcast_ss(x[t] + k + odd);
          UNROLL for (std::size_t r = 0; r < R; ++r)
            sums[t][r] = _mm256_fmadd_ps(weights[r], value, sums[t][r]);
        }
      }
    UNROLL for (std::size_t t = 0; t < T; ++t)
      UNROLL for (std::size_t r = 0; r < R; ++r) tile.put(t, r, sums[t][r]);
  }
};

// Sizes of weights times activations that have taken over the weights' signs: the first factor of this
// instruction is unsigned. Sums of two, at most 2 * 127 * 127, fit into 16 bits: exact.
struct ProductInt8 {
  template <std::size_t T, std::size_t R>
  static void run(const Tile& tile) {
    const std::size_t columns = tile.p.matrix->columns;
    const std::byte* w = tile.weights + tile.row % kBlockRows * 4;
    const __m256i ones = _mm256_set1_epi16(1);
    const float* scales[T];
    const std::int32_t* x[T];
    UNROLL for (std::size_t t = 0; t < T; ++t) {
      scales[t] = tile.record<float>(t);
      x[t] = reinterpret_cast<const std::int32_t*>(tile.values(t));
    }
    __m256 y[T][R];
    clear(y);
    for (std::size_t group = 0; group < columns / kGroup; ++group) {
      __m256i sums[T][R];
      clear(sums);
      for (std::size_t k = group * kGroup; k < (group + 1) * kGroup; k += 4, w += kBlockRows * 4)
        UNROLL for (std::size_t r = 0; r < R; ++r) {
          const __m256i codes = load(w + 32 * r), sizes = _mm256_abs_epi8(codes);
          UNROLL for (std::size_t t = 0; t < T; ++t) {
            const __m256i four = _mm256_sign_epi8(_mm256_set1_epi32(x[t][k / 4]), codes);
            const __m256i pairs = _mm256_maddubs_epi16(sizes, four);
            settle(sums[t][r] = _mm256_add_epi32(sums[t][r], _mm256_madd_epi16(pairs, ones)));
          }
        }
      UNROLL for (std::size_t t = 0; t < T; ++t)
        UNROLL for (std::size_t r = 0; r < R; ++r)
          y[t][r] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[t][r]),
                                    _mm256_set1_ps(scales[t][group]), y[t][r]);
    }
    UNROLL for (std::size_t r = 0; r < R; ++r) {
      const __m256 scale = _mm256_loadu_ps(tile.p.matrix->scales() + tile.row + 8 * r);
      UNROLL for (std::size_t t = 0; t < T; ++t) tile.put(t, r, _mm256_mul_ps(y[t][r], scale));
    }
  }
};

// Codes from 0 to 15 times codes of 8 bits: the sums over 32 columns, at most 8 * 2 * 15 * 127, still
// fit into 16 bits.
struct ProductInt4 {
  template <std::size_t T, std::size_t R>
  static void run(const Tile& tile) {
    const std::size_t columns = tile.p.matrix->columns, in_block = tile.row % kBlockRows;
    const __m256i low = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    const float *scales[T], *totals[T];
    const std::int32_t* x[T];
    UNROLL for (std::size_t t = 0; t < T; ++t) {
      scales[t] = tile.record<float>(t);
      totals[t] = scales[t] + columns / kGroup;
      x[t] = reinterpret_cast<const std::int32_t*>(tile.values(t));
    }
    __m256 y[T][R];
    clear(y);
    const std::byte* block = tile.weights;
    for (std::size_t group = 0; group < columns / kInt4Group; ++group) {
      const Half* halves = reinterpret_cast<const Half*>(block) + in_block;
      const std::byte* w = block + 4 * kBlockRows + in_block * 4;
      __m256i sums[T][R];
      clear(sums);
      for (std::size_t k = group * kInt4Group; k < (group + 1) * kInt4Group;
           k += 8, w += kBlockRows * 4)
        UNROLL for (std::size_t high = 0; high < 2; ++high) {
          __m256i codes[R];
          UNROLL for (std::size_t r = 0; r < R; ++r) {
            codes[r] = load(w + 32 * r);
            if (high) codes[r] = _mm256_srli_epi16(codes[r], 4);
            codes[r] = _mm256_and_si256(codes[r], low);
          }
          UNROLL for (std::size_t t = 0; t < T; ++t) {
            const __m256i four = _mm256_set1_epi32(x[t][k / 4 + high]);
            UNROLL for (std::size_t r = 0; r < R; ++r)
              settle(sums[t][r] =
                         _mm256_add_epi16(sums[t][r], _mm256_maddubs_epi16(codes[r], four)));
          }
        }
      UNROLL for (std::size_t r = 0; r < R; ++r) {
        const __m256 scale = Lanes::load(halves + 8 * r).v;
        const __m256 minimum = Lanes::load(halves + kBlockRows + 8 * r).v;
        UNROLL for (std::size_t t = 0; t < T; ++t) {
          const __m256 whole = _mm256_cvtepi32_ps(_mm256_madd_epi16(sums[t][r], ones));
          const __m256 sum = _mm256_mul_ps(whole, _mm256_set1_ps(scales[t][group / 2]));
          y[t][r] = _mm256_fmadd_ps(scale, sum, y[t][r]);
          y[t][r] = _mm256_fmadd_ps(minimum, _mm256_set1_ps(totals[t][group]), y[t][r]);
        }
      }
      block += block_bytes(Kind::int4, kInt4Group);
    }
    UNROLL for (std::size_t t = 0; t < T; ++t)
      UNROLL for (std::size_t r = 0; r < R; ++r) tile.put(t, r, y[t][r]);
  }
};

template <class Form>
void product(const Product& p) {
  Tile tile{p, p.matrix->block(p.row / kBlockRows), p.row, 0};
  if (p.tokens == 1) {
    if (p.rows == 64) return Form::template run<1, 8>(tile);
    if (p.rows == 32) return Form::template run<1, 4>(tile);
    return Form::template run<1, 2>(tile);
  }
  for (; tile.row < p.row + p.rows; tile.row += 16) {
    for (tile.token = 0; tile.token + 4 <= p.tokens; tile.token += 4)
      Form::template run<4, 2>(tile);
    switch (p.tokens - tile.token) {
      case 1: Form::template run<1, 2>(tile); break;
      case 2: Form::template run<2, 2>(tile); break;
      case 3: Form::template run<3, 2>(tile); break;
    }
  }
}

// Stores 32 bits of each of 8 lanes as 8 bits.
inline void store_bytes(std::byte* out, __m256i codes) {
  const __m128i low = _mm256_castsi256_si128(codes), high = _mm256_extracti128_si256(codes, 1);
  const __m128i words = _mm_packs_epi32(low, high);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm_packs_epi16(words, words));
}

inline std::int32_t sum_lanes(__m256i v) {
  __m128i half = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
}

inline float largest(__m256i bits) {  // of eight floats without signs, which order as their bits do
  __m128i half = _mm_max_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1));
  half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0x4e));
  half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0xb1));
  return _mm_cvtss_f32(_mm_castsi128_ps(half));
}

// Codes in the order of the columns.
void encode_int(const float* x, std::size_t columns, std::byte* record) {
  float* scales = reinterpret_cast<float*>(record);
  float* sums = scales + columns / kGroup;
  std::byte* out = record + code_values(columns);
  for (std::size_t first = 0; first < columns; first += kGroup) {
    __m256i bits = _mm256_setzero_si256();
    for (std::size_t i = first; i < first + kGroup; i += 8)
      bits = _mm256_max_epi32(bits, _mm256_and_si256(load(x + i), _mm256_set1_epi32(0x7fffffff)));
    const float most = largest(bits), inverse = code_factor(most), scale = code_scale(most);
    scales[first / kGroup] = scale;
    for (std::size_t part = first; part < first + kGroup; part += kInt4Group) {
      __m256i total = _mm256_setzero_si256();
      for (std::size_t i = part; i < part + kInt4Group; i += 8) {
        __m256i codes = _mm256_setzero_si256();
        if (inverse > 0.0f)
          codes = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), _mm256_set1_ps(inverse)));
        total = _mm256_add_epi32(total, codes);
        store_bytes(out + i, codes);
      }
      sums[part / kInt4Group] = scale * float(sum_lanes(total));
    }
  }
}

}  // namespace

const Kernels& avx2_kernels() {
  static const Kernels table = {
      .name = "avx2",
      .encode = {encode_float<Lanes>, encode_float<Lanes>, encode_int, encode_int},
      .product = {product<ProductF32>, product<ProductBf16>, product<ProductInt8>,
                  product<ProductInt4>},
      .norm = norm<Lanes>,
      .activate = {activate<Lanes, Relu>, activate<Lanes, Gelu>, activate<Lanes, GeluTanh>,
                   activate<Lanes, Silu>, activate<Lanes, Tanh>},
      .multiply = multiply<Lanes>,
      .scale = scale<Lanes>,
      .halve = halve<Lanes>,
      .attend_half = attend<Lanes, Half>,
      .attend_float = attend<Lanes, float>,
  };
  return table;
}

}  // namespace loquent
