// Which of the instruction sets runs.
#pragma once

#include <string>
#include <vector>

#include "kernels.hpp"

namespace loquent {

// The table of the instruction set named, or of the best that this machine has for "".
// Throws std::invalid_argument for one that is unknown or absent.
const Kernels& kernels(const std::string& name);

// Names of those that this machine can run, the best first.
std::vector<std::string> instruction_sets();

// Names of those that this machine offers, but whose products are not what the scalar ones are: they
// are not used.
std::vector<std::string> refused_instruction_sets();

}  // namespace loquent
