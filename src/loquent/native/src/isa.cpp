// Which instruction set runs: one line for each.
#include "isa.hpp"

#include <algorithm>
#include <stdexcept>

#include "cpu.hpp"

namespace loquent {

namespace {

struct Entry {
  const char* name;
  const Kernels& (*table)();
  std::vector<std::string> features;  // that it needs
};

const std::vector<Entry>& entries() {  // the best first
  static const std::vector<Entry> all = {
#if defined(LOQUENT_X86)
      {"avx2", avx2_kernels, {"avx2", "fma", "f16c"}},
#endif
#if defined(LOQUENT_ARM)
      {"neon_dot", neon_dot_kernels, {"neon", "dotprod"}},
      {"neon", neon_kernels, {"neon"}},
#endif
      {"scalar", scalar_kernels, {}},
  };
  return all;
}

bool offered(const Entry& entry) {
  const std::vector<std::string> found = cpu_features();
  return std::all_of(entry.features.begin(), entry.features.end(), [&](const std::string& feature) {
    return std::find(found.begin(), found.end(), feature) != found.end();
  });
}

}  // namespace

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const Entry& entry : entries())
    if (offered(entry)) names.emplace_back(entry.name);
  return names;
}

const Kernels& kernels(const std::string& wanted) {
  std::string known;
  for (const Entry& entry : entries()) {
    if (!offered(entry)) continue;
    if (wanted.empty() || wanted == entry.name) return entry.table();
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  }
  throw std::invalid_argument("the instruction set '" + wanted + "' is none of those that this " +
                              "machine runs: " + known + ".");
}

}  // namespace loquent
