#include "cpu.hpp"

#if defined(__x86_64__)
#include <cpuid.h>

#include <cstdint>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace loquent {

#if defined(__x86_64__)

namespace {

// AMX is not a name that every compiler's __builtin_cpu_supports knows: ask the processor
// (CPUID leaf 7, EDX bits 24 and 25) and whether the system saves tile registers (XCR0 bits 17, 18).
bool has_amx(unsigned bit) {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE)) return false;
  std::uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  const std::uint32_t tiles = 3u << 17;
  if ((low & tiles) != tiles) return false;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (edx >> bit & 1u);
}

}  // namespace

std::vector<std::string> cpu_features() {
  __builtin_cpu_init();
  std::vector<std::string> found;
  if (__builtin_cpu_supports("sse4.2")) found.emplace_back("sse4.2");
  if (__builtin_cpu_supports("avx2")) found.emplace_back("avx2");
  if (__builtin_cpu_supports("fma")) found.emplace_back("fma");
  if (__builtin_cpu_supports("f16c")) found.emplace_back("f16c");
  if (__builtin_cpu_supports("avx512f")) found.emplace_back("avx512f");
  if (__builtin_cpu_supports("avx512bw")) found.emplace_back("avx512bw");
  if (__builtin_cpu_supports("avx512vnni")) found.emplace_back("avx512vnni");
  if (__builtin_cpu_supports("avx512bf16")) found.emplace_back("avx512bf16");
  if (has_amx(24)) found.emplace_back("amx-tile");
  if (has_amx(25)) found.emplace_back("amx-int8");
  if (has_amx(22)) found.emplace_back("amx-bf16");
  return found;
}

#elif defined(__aarch64__)

std::vector<std::string> cpu_features() {
  std::vector<std::string> found = {"neon"};  // part of every AArch64 processor
#if defined(__linux__)
  if (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) found.emplace_back("dotprod");
#elif defined(__APPLE__)
  found.emplace_back("dotprod");  // part of every one that Apple puts into a computer
#endif
  return found;
}

#else

std::vector<std::string> cpu_features() { return {}; }

#endif

}  // namespace loquent
