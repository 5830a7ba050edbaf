// The arrays that the Python module's parts are given.
#pragma once

#include <nanobind/ndarray.h>

namespace loquent {

using Vector = nanobind::ndarray<const float, nanobind::ndim<1>, nanobind::c_contig, nanobind::device::cpu>;
using Rows = nanobind::ndarray<const float, nanobind::ndim<2>, nanobind::c_contig, nanobind::device::cpu>;

}  // namespace loquent
