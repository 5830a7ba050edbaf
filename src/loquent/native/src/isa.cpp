// Which instruction set runs: one line for each.
#include "isa.hpp"

#include <algorithm>
#include <stdexcept>

#include "cpu.hpp"
#include "self_check.hpp"

namespace loquent {

namespace {

template <const Kernels& (*table)()>
bool passes() {  // once, before the table is first used
  static const bool passed = repeats_scalar(table());
  return passed;
}

struct Entry {
  const char* name;
  const Kernels& (*table)();
  bool (*passes)();
  std::vector<std::string> features;  // that it needs
};

const std::vector<Entry>& entries() {  // the best first
  static const std::vector<Entry> all = {
#if defined(LOQUENT_X86)
#if defined(LOQUENT_AMX)
      {"amx", amx_kernels, passes<amx_kernels>,
       {"avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512vnni", "amx-tile",
        "amx-int8", "amx-bf16"}},
#endif
#if defined(LOQUENT_AVX512)
      {"avx512", avx512_kernels, passes<avx512_kernels>,
       {"avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512vnni"}},
#endif
#if defined(LOQUENT_AVXVNNI)
      {"avxvnni", avxvnni_kernels, passes<avxvnni_kernels>, {"avx2", "fma", "f16c", "avxvnni"}},
#endif
      {"avx2", avx2_kernels, passes<avx2_kernels>, {"avx2", "fma", "f16c"}},
#endif
#if defined(LOQUENT_ARM)
      {"neon_dot", neon_dot_kernels, passes<neon_dot_kernels>, {"neon", "dotprod"}},
      {"neon", neon_kernels, passes<neon_kernels>, {"neon"}},
#endif
      {"scalar", scalar_kernels, [] { return true; }, {}},
  };
  return all;
}

bool offered(const Entry& entry) {
  static const std::vector<std::string> found = cpu_features();  // a virtual machine takes long to tell
  return std::all_of(entry.features.begin(), entry.features.end(), [&](const std::string& feature) {
    return std::find(found.begin(), found.end(), feature) != found.end();
  });
}

}  // namespace

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const Entry& entry : entries())
    if (offered(entry) && entry.passes()) names.emplace_back(entry.name);
  return names;
}

std::vector<std::string> refused_instruction_sets() {
  std::vector<std::string> names;
  for (const Entry& entry : entries())
    if (offered(entry) && !entry.passes()) names.emplace_back(entry.name);
  return names;
}

const Kernels& kernels(const std::string& wanted) {
  std::string known;
  for (const Entry& entry : entries()) {
    if (!offered(entry)) continue;
    if ((wanted.empty() || wanted == entry.name) && entry.passes()) return entry.table();
    if (wanted == entry.name)
      throw std::invalid_argument("the instruction set '" + wanted + "' gives other products than the " +
                                  "scalar one on this machine, and is not used.");
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  }
  throw std::invalid_argument("the instruction set '" + wanted + "' is none of those that this " +
                              "machine runs: " + known + ".");
}

}  // namespace loquent
