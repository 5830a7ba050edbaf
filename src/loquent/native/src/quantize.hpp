// From weights as floats to the packed layout.
#pragma once

#include <cstddef>

#include "layout.hpp"
#include "pool.hpp"

namespace loquent {

// Writes `matrix_bytes(kind, rows, columns)` bytes that stand for `weights` (rows x columns).
void pack_matrix(const float* weights, std::size_t rows, std::size_t columns, Kind kind,
                 std::byte* out, Pool& pool);

}  // namespace loquent
