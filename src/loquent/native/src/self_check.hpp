// Whether an instruction set gives what the scalar one gives, on the machine where it is to be used.
#pragma once

#include "kernels.hpp"

namespace loquent {

// Compares a small product of each kind, within 1e-5 of the largest number; takes less than a millisecond.
bool repeats_scalar(const Kernels& kernels);

}  // namespace loquent
