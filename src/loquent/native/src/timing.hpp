// How long single products take, for bench/kernels.py.
#pragma once

#include <vector>

#include "kernels.hpp"
#include "pool.hpp"

namespace loquent {

// Products of a packed matrix with vectors, made one after the other.
struct Series {
  Kind kind;
  std::size_t rows, columns;  // not padded
  std::size_t tokens;         // vectors of a product
  std::size_t copies;         // of the matrix, taken in turn as a step takes its matrices
  std::size_t products;       // of a run
  std::size_t runs;
};

// Seconds that one product takes as a step makes it, cut into strips and with a barrier behind it: the
// mean of each run.
std::vector<double> seconds_per_product(const Series& series, const std::byte* packed,
                                        const Kernels& kernels, Pool& pool);

}  // namespace loquent
