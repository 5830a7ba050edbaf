// A number that one thread moves on while others wait for it: they spin briefly, then sleep.
#pragma once

#include <atomic>
#include <climits>
#include <cstdint>

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace loquent {

class Signal {
 public:
  std::uint32_t value() const { return value_.load(std::memory_order_acquire); }

  // Moves on; what was written before is seen by those who waited.
  void advance() {
    value_.fetch_add(1, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) > 0) wake();
  }

  // Returns once the value is no longer `old`. A thread whose partners have lost their cores soon
  // sleeps, and so hands its own core to one of them; it never yields, which would hand it to whoever
  // else is waiting, for a whole time slice.
  void wait_while(std::uint32_t old) {
    for (int spin = 0; spin < kSpins; ++spin) {
      if (value() != old) return;
      pause();
    }
    while (value() == old) {
      sleepers_.fetch_add(1, std::memory_order_seq_cst);
      if (value_.load(std::memory_order_seq_cst) == old) sleep(old);
      sleepers_.fetch_sub(1, std::memory_order_seq_cst);
    }
  }

 private:
  static constexpr int kSpins = 500;  // some 10 microseconds, about as long as waking up takes

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
  }

#if defined(__linux__)  // the standard library's wait yields before it sleeps
  void sleep(std::uint32_t old) {
    syscall(SYS_futex, &value_, FUTEX_WAIT_PRIVATE, old, nullptr, nullptr, 0);
  }
  void wake() { syscall(SYS_futex, &value_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0); }
#else
  void sleep(std::uint32_t old) { value_.wait(old, std::memory_order_acquire); }
  void wake() { value_.notify_all(); }
#endif

  alignas(64) std::atomic<std::uint32_t> value_{0};
  alignas(64) std::atomic<std::uint32_t> sleepers_{0};
};

}  // namespace loquent
