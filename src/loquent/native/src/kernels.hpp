// What an instruction set offers: one table of functions, each a loop over consecutive numbers.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "half.hpp"
#include "layout.hpp"

namespace loquent {

// The activations of one token, as the products of a kind read them, are a record of
// `code_stride(columns)` bytes: floats for f32 and bf16; for int8 and int4 a scale for each 64
// columns, for each 32 the sum of their values, and codes from -127 to 127 in an order that the
// instruction set chooses. value = code * scale.
// A record takes an odd number of cache lines, so that those of many tokens do not fall on few sets.
static constexpr std::size_t code_stride(std::size_t columns) { return columns * 4 + 64; }
static constexpr std::size_t code_values(std::size_t columns) {  // where the codes of a record begin
  return round_up(columns / kGroup * 4 + columns / kInt4Group * 4, 64);
}

// The scale of a group whose largest size is `most`, and its inverse; where numbers are infinite or no
// numbers at all, the scale makes the products no numbers either.
static inline float code_scale(float most) { return most <= 3e38f ? most / 127.0f : NAN; }
static inline float code_factor(float most) { return most >= 1e-30f && most <= 3e38f ? 127.0f / most : 0.0f; }

struct Norm {
  bool rms = false;
  float epsilon = 0;
  std::size_t width = 0;
  const float* weight = nullptr;
  const float* bias = nullptr;  // or nullptr
};

// A strip of rows of one block, times the codes of some tokens.
struct Product {
  const Matrix* matrix;
  std::size_t row;   // the first; a multiple of `rows`
  std::size_t rows;  // 16, 32 or 64
  const std::byte* codes;
  std::size_t tokens;
  float* out;  // of the first token and row
  std::size_t out_stride;
  bool add;  // to what `out` holds already
};

enum class Activation : std::uint32_t { relu, gelu, gelu_tanh, silu, tanh };
constexpr std::size_t kActivations = 5;

// The key and the value of one position for one head, and where that head's keys and values stand in the
// position's block. How they lie there, and what numbers those of 16 bits are, is the table's own affair.
struct Put {
  std::size_t width;  // of a head, padded
  std::size_t slot;   // of the position in the block
  const float *key, *value;
  std::byte *keys, *values;
};

// Some queries over the keys and values of one row and one key/value head.
constexpr std::size_t kMostQueries = 16;
struct Attend {
  std::size_t width;  // of a head, padded
  const std::byte* const* blocks;
  std::size_t keys;    // bytes from a block's start to the keys of this layer and head
  std::size_t values;
  std::size_t queries;  // up to kMostQueries, or as many as the table says
  const float* query[kMostQueries];
  std::size_t limit[kMostQueries];  // keys that each query sees; ascending
  const float* bias[kMostQueries];  // added to the scores, or nullptr
  float* out[kMostQueries];
};

// Up to eight outputs of a convolution for some steps. Behind the sums: the bias, what is added, the scale.
constexpr std::size_t kConvolvedRows = 8, kConvolvedSteps = 48, kConvolvedUnit = 16, kMostAdded = 3;
struct Convolve {
  std::size_t channels, taps, dilation;
  std::size_t steps;    // a multiple of kConvolvedUnit, at most kConvolvedSteps
  const float* kernel;  // [channels][taps][8]
  const float* bias;    // [8]
  const float* x;       // [channels][stride], of which the first steps meet the first tap
  std::size_t stride;
  std::size_t rows;                // that are written
  const float* added[kMostAdded];  // each [rows][out_stride], or nullptr
  float scale, slope;
  float* out;   // [rows][out_stride], or nullptr
  float* bent;  // the same with negative values `slope` times, or nullptr
  std::size_t out_stride;
};

// A transform of `points` complex numbers in stages, each of which takes apart by a radix from 2 to 5.
struct Fourier {
  std::size_t points, stages;
  const std::uint8_t* radices;
  const float* twiddles;  // of each stage, for each p below the points left: the radix - 1 factors, (re, im)
  const float* turns;     // e^(-i pi k / points) for k up to `points`, (re, im)
};

// Up to 16 frames of a wave from what a network says of their spectra (voices/waves.py has the formula).
constexpr std::size_t kMixedFrames = 16;
struct Mix {
  Fourier fourier;       // of half a frame
  std::size_t frames;    // there are, up to 16
  const float *harmonics, *turned, *noise, *rest, *phase;  // [points + 1][stride], for 16 frames
  const float *radius, *angle;                             // of the noise, the same
  std::size_t stride;
  const float* pulses;   // of the first frame; those of the next begin `hop` further on
  const float* window;   // [2 * points]
  std::size_t hop;
  float* work;           // mix_work(points) numbers
  float* sums;           // [2 * points + (frames - 1) * hop], to which windowed frames are added
};
static constexpr std::size_t mix_work(std::size_t points) { return (6 * points + 2) * kMixedFrames; }

// The largest of some numbers, and the sum of e to what each is above it.
constexpr std::size_t kLeadingBlock = 64;
struct Total {
  float most;
  double sum;
};

struct Kernels {
  const char* name;
  void (*encode[kKinds])(const float* x, std::size_t columns, std::byte* record);
  void (*product[kKinds])(const Product&);
  void (*norm)(const Norm&, const float* x, float* out);  // `out` may be `x`
  void (*activate[kActivations])(float* x, std::size_t count);
  void (*multiply)(float* x, const float* y, std::size_t count);  // x *= y
  void (*scale)(float* x, float factor, std::size_t count);
  void (*convolve)(const Convolve&);
  void (*bend)(const float* x, float slope, float* out, std::size_t count);  // max(x, slope * x)
  void (*mix)(const Mix&);
  Total (*total)(const float* x, std::size_t count, float* tops);  // [count / kLeadingBlock, rounded up]
  struct Memory {  // keys and values, in blocks of 16 positions
    std::size_t queries;  // that `attend` takes at a time, at most
    void (*put)(const Put&);  // infinite halves become the largest
    void (*attend)(const Attend&);
    // One query's products with the 16 keys of a block.
    void (*score)(const float* query, const std::byte* keys, std::size_t width, float* scores);
  };
  Memory halves, floats;  // in numbers of 16 and of 32 bits
};

const Kernels& scalar_kernels();
#if defined(LOQUENT_X86)
const Kernels& avx2_kernels();
const Kernels& amx_kernels();      // where LOQUENT_AMX is defined,
const Kernels& avx512_kernels();   // LOQUENT_AVX512,
const Kernels& avxvnni_kernels();  // and LOQUENT_AVXVNNI: compilers that know these
#endif
#if defined(LOQUENT_ARM)
const Kernels& neon_kernels();
const Kernels& neon_dot_kernels();
#endif

}  // namespace loquent
