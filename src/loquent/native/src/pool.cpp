#include "pool.hpp"

namespace loquent {

namespace {

constexpr int kSpins = 4000;  // about 50 to 150 microseconds: longer than a phase, shorter than idle
constexpr int kYields = 50;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

}  // namespace

void Barrier::wait_while(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (value.load(std::memory_order_acquire) != old) return;
    pause();
  }
  for (int turn = 0; turn < kYields; ++turn) {
    if (value.load(std::memory_order_acquire) != old) return;
    std::this_thread::yield();
  }
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
}

Pool::Pool(unsigned threads)
    : threads_(threads ? threads : 1), barrier_(threads_), finished_(threads_) {
  for (unsigned thread = 1; thread < threads_; ++thread)
    workers_.emplace_back([this, thread] { serve(thread); });
}

Pool::~Pool() {
  closing_.store(true, std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void Pool::run(const std::function<void(unsigned)>& body) {
  if (threads_ > 1) {
    body_ = &body;
    epoch_.fetch_add(1, std::memory_order_release);
    epoch_.notify_all();
  }
  body(0);
  // nothing shared is read after this: the caller may set up the next step at once
  if (threads_ > 1) finished_.arrive([] {});
}

void Pool::serve(unsigned thread) {
  std::uint32_t seen = 0;
  for (;;) {
    Barrier::wait_while(epoch_, seen);
    ++seen;
    if (closing_.load(std::memory_order_relaxed)) return;
    (*body_)(thread);
    finished_.arrive([] {});
  }
}

}  // namespace loquent
