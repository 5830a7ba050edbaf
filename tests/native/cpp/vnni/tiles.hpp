// The instructions of AMX in plain C++, as Intel's Software Developer's Manual describes them (volume 2,
// LDTILECFG to TILEZERO; volume 1, chapter 18). What a processor would stop at ends the program.
#pragma once

#include <immintrin.h>

#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "check.hpp"
#include "half.hpp"

namespace loquent {

struct Tile {
  unsigned rows = 0, row_bytes = 0;
  std::uint8_t data[16][64] = {};  // zero behind its rows and their ends
};

class EmulatedTiles {  // of one thread
 public:
  bool configured() const { return configured_; }
  std::size_t products() const { return products_; }  // of tiles, so far

  void configure(const void* memory) {
    const std::uint8_t* from = static_cast<const std::uint8_t*>(memory);
    CHECK(from[0] == 1);  // the only palette: 8 tiles of up to 16 rows of up to 64 bytes
    for (unsigned i = 1; i < 16; ++i) CHECK(from[i] == 0);
    for (unsigned i = 0; i < 16; ++i) {
      const unsigned row_bytes = from[16 + 2 * i] | unsigned(from[17 + 2 * i]) << 8, rows = from[48 + i];
      CHECK(i < kTiles ? row_bytes <= 64 && rows <= 16 : row_bytes + rows == 0);
      CHECK((rows == 0) == (row_bytes == 0));
      if (i < kTiles) tiles_[i] = Tile{rows, row_bytes};
    }
    configured_ = true;
  }
  void release() {
    for (Tile& tile : tiles_) tile = Tile{};
    configured_ = false;
  }
  void clear(unsigned to) {
    Tile& tile = at(to);
    std::memset(tile.data, 0, sizeof tile.data);
  }
  void load(unsigned to, const void* from, std::ptrdiff_t stride) {
    Tile& tile = at(to);
    std::memset(tile.data, 0, sizeof tile.data);
    for (unsigned row = 0; row < tile.rows; ++row)
      std::memcpy(tile.data[row], static_cast<const char*>(from) + row * stride, tile.row_bytes);
  }
  void store(unsigned from, void* to, std::ptrdiff_t stride) {
    const Tile& tile = at(from);
    for (unsigned row = 0; row < tile.rows; ++row)
      std::memcpy(static_cast<char*>(to) + row * stride, tile.data[row], tile.row_bytes);
  }

  // sums += rows of x times columns of w, where each four bytes are multiplied with each other.
  void multiply_codes(unsigned sums, unsigned x, unsigned w) {
    multiply<std::int32_t>(sums, x, w, [](std::int32_t sum, const Tile& a, const Tile& b, unsigned m,
                                          unsigned n) {
      for (unsigned k = 0; k < a.row_bytes; ++k) {
        const int left = std::int8_t(a.data[m][k]), right = std::int8_t(b.data[k / 4][4 * n + k % 4]);
        sum = std::int32_t(std::uint32_t(sum) + std::uint32_t(left * right));
      }
      return sum;
    });
  }
  // The same for pairs of 16 bits, which are added up apart, from zero on.
  void multiply_bf16(unsigned sums, unsigned x, unsigned w) {
    multiply<float>(sums, x, w, [](float sum, const Tile& a, const Tile& b, unsigned m, unsigned n) {
      float halves[2] = {};
      for (unsigned k = 0; k < a.row_bytes / 2; ++k) {
        float& half = halves[k % 2];
        half = flushed(std::fma(bf16(a.data[m] + 2 * k), bf16(b.data[k / 2] + 4 * n + k % 2 * 2), half));
      }
      return flushed(flushed(sum) + flushed(halves[0] + halves[1]));
    });
  }

 private:
  static constexpr unsigned kTiles = 8;

  static float flushed(float x) { return std::fabs(x) < FLT_MIN ? std::copysign(0.0f, x) : x; }
  static float bf16(const std::uint8_t* bytes) {
    return flushed(bf16_to_float(std::uint16_t(bytes[0] | unsigned(bytes[1]) << 8)));
  }

  Tile& at(unsigned index) {
    CHECK(configured_ && index < kTiles && tiles_[index].rows > 0);
    return tiles_[index];
  }

  template <class T, class Add>
  void multiply(unsigned sums, unsigned x, unsigned w, Add add) {
    Tile &c = at(sums), &a = at(x), &b = at(w);
    CHECK(sums != x && sums != w && x != w);
    CHECK(a.row_bytes % 4 == 0 && b.row_bytes % 4 == 0);
    CHECK(c.rows == a.rows && c.row_bytes == b.row_bytes && a.row_bytes / 4 == b.rows);
    for (unsigned m = 0; m < c.rows; ++m)
      for (unsigned n = 0; n < c.row_bytes / 4; ++n) {
        T sum;
        std::memcpy(&sum, c.data[m] + 4 * n, sizeof sum);
        sum = add(sum, a, b, m, n);
        std::memcpy(c.data[m] + 4 * n, &sum, sizeof sum);
      }
    ++products_;
  }

  bool configured_ = false;
  std::size_t products_ = 0;
  Tile tiles_[kTiles];
};

inline thread_local EmulatedTiles emulated_tiles;

}  // namespace loquent

#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbssd
#undef _tile_dpbf16ps
#define _tile_loadconfig(from) emulated_tiles.configure(from)
#define _tile_release() emulated_tiles.release()
#define _tile_loadd(tile, from, stride) emulated_tiles.load(tile, from, std::ptrdiff_t(stride))
#define _tile_stored(tile, to, stride) emulated_tiles.store(tile, to, std::ptrdiff_t(stride))
#define _tile_zero(tile) emulated_tiles.clear(tile)
#define _tile_dpbssd(sums, x, w) emulated_tiles.multiply_codes(sums, x, w)
#define _tile_dpbf16ps(sums, x, w) emulated_tiles.multiply_bf16(sums, x, w)
