// Which instruction sets this processor and its operating system offer.
#pragma once

#include <string>
#include <vector>

namespace loquent {

// Names as the compiler spells them ("avx2", "avx512vnni", "neon"), in a fixed order.
std::vector<std::string> cpu_features();

}  // namespace loquent
