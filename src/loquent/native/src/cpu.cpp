#include "cpu.hpp"

#if defined(__x86_64__)
#include <cpuid.h>

#include <cstdint>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace loquent {

#if defined(__x86_64__)

namespace {

// Features that not every compiler's __builtin_cpu_supports knows: a bit of CPUID leaf 7, and the
// registers that the system must save for them (bits of XCR0).
enum Register { eax, ebx, ecx, edx };
constexpr std::uint32_t kYmm = 3u << 1, kZmm = kYmm | 7u << 5, kTiles = 3u << 17;
struct Feature {
  const char* name;
  unsigned subleaf;
  Register from;
  unsigned bit;
  std::uint32_t saved;
};
constexpr Feature kFeatures[] = {
    {"avxvnni", 1, eax, 4, kYmm},     {"avx512f", 0, ebx, 16, kZmm},
    {"avx512dq", 0, ebx, 17, kZmm},   {"avx512bw", 0, ebx, 30, kZmm},
    {"avx512vl", 0, ebx, 31, kZmm},   {"avx512vnni", 0, ecx, 11, kZmm},
    {"avx512bf16", 1, eax, 5, kZmm},  {"amx-tile", 0, edx, 24, kTiles},
    {"amx-int8", 0, edx, 25, kTiles}, {"amx-bf16", 0, edx, 22, kTiles},
};

std::uint32_t saved_registers() {
  unsigned found[4] = {};
  if (!__get_cpuid(1, &found[eax], &found[ebx], &found[ecx], &found[edx])) return 0;
  if (!(found[ecx] & bit_OSXSAVE)) return 0;
  std::uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

// The system keeps the tiles of a process only where the process has asked for it (Linux 5.16, "Using XSTATE
// features in user space applications"); it refuses where a stack for signals has no room for them.
bool tiles_granted() {
#if defined(__linux__) && defined(SYS_arch_prctl)
  constexpr long kAsk = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM
  static const bool granted = syscall(SYS_arch_prctl, kAsk, kTileData) == 0;
  return granted;
#else
  return false;
#endif
}

bool has(const Feature& feature) {
  unsigned found[4] = {};
  if ((saved_registers() & feature.saved) != feature.saved) return false;
  // the highest subleaf that there is stands in EAX of the first one
  if (!__get_cpuid_count(7, 0, &found[eax], &found[ebx], &found[ecx], &found[edx])) return false;
  if (feature.subleaf > found[eax]) return false;
  __get_cpuid_count(7, feature.subleaf, &found[eax], &found[ebx], &found[ecx], &found[edx]);
  if (!(found[feature.from] >> feature.bit & 1u)) return false;
  return feature.saved != kTiles || tiles_granted();
}

}  // namespace

std::vector<std::string> cpu_features() {
  __builtin_cpu_init();
  std::vector<std::string> found;
  if (__builtin_cpu_supports("sse4.2")) found.emplace_back("sse4.2");
  if (__builtin_cpu_supports("avx2")) found.emplace_back("avx2");
  if (__builtin_cpu_supports("fma")) found.emplace_back("fma");
  if (__builtin_cpu_supports("f16c")) found.emplace_back("f16c");
  for (const Feature& feature : kFeatures)
    if (has(feature)) found.emplace_back(feature.name);
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
