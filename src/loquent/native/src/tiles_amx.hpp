// Tiles of AMX: registers of up to 16 rows of 64 bytes, of which a thread has eight. Only what is compiled
// for AMX may include this.
#pragma once

#include <immintrin.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace loquent {

namespace {

// GCC 12's loads of tiles do not say that they read memory: what stands before this has been written. Nor
// do its stores say that they write: what stands behind it reads what they wrote.
inline void finish_writing() { __asm__ volatile("" ::: "memory"); }

struct alignas(64) TileShapes {  // as LDTILECFG reads them
  std::uint8_t palette = 1, start = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};

  constexpr void set(std::size_t tile, std::size_t height, std::size_t bytes) {
    rows[tile] = std::uint8_t(height), row_bytes[tile] = std::uint16_t(bytes);
  }
};
static_assert(sizeof(TileShapes) == 64);

// Those for each number of rows of activations, made once: shapes that have just been written could not be
// read before all that a thread has written earlier is out of its way.
template <class Make>
constexpr auto shapes_of_rows(Make make) {
  std::array<TileShapes, 17> made{};
  for (std::size_t rows = 1; rows < made.size(); ++rows) made[rows] = make(rows);
  return made;
}

// The shapes of the tiles while they are used. A thread that leaves them has no state of tiles, which the
// system would have to keep for it.
class Tiles {
 public:
  explicit Tiles(const TileShapes& shapes) {
    __asm__ volatile("" ::"r"(&shapes) : "memory");  // GCC 12 would leave out what was written last
    _tile_loadconfig(&shapes);
  }
  ~Tiles() { _tile_release(); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

}  // namespace

}  // namespace loquent
