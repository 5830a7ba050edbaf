// The table of NEON with dot products of bytes (SDOT, ARMv8.2): whole numbers differ, floats are NEON's.
#include "kernels.hpp"
#include "products_neon.hpp"

namespace loquent {

namespace {

struct Dotted {
  template <int lane>
  static int32x4_t add(int32x4_t sums, int8x16_t weights, int8x16_t x) {
    return vdotq_laneq_s32(sums, weights, x, lane);
  }
};

}  // namespace

const Kernels& neon_dot_kernels() {
  static const Kernels table = [] {
    Kernels changed = neon_kernels();
    changed.name = "neon_dot";
    changed.product[std::size_t(Kind::int8)] = product<ProductInt8<Dotted>>;
    changed.product[std::size_t(Kind::int4)] = product<ProductInt4<Dotted>>;
    return changed;
  }();
  return table;
}

}  // namespace loquent
