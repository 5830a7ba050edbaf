#include "pool.hpp"

namespace loquent {

Pool::Pool(unsigned threads)
    : threads_(threads ? threads : 1), barrier_(threads_), finished_(threads_), ranges_(threads_) {
  for (unsigned thread = 1; thread < threads_; ++thread)
    workers_.emplace_back([this, thread] { serve(thread); });
}

Pool::~Pool() {
  closing_.store(true, std::memory_order_relaxed);
  epoch_.advance();
  for (std::thread& worker : workers_) worker.join();
}

void Pool::run(const std::function<void(unsigned)>& body) {
  if (threads_ > 1) {
    body_ = &body;
    epoch_.advance();
  }
  body(0);
  // nothing shared is read after this: the caller may set up the next step at once
  if (threads_ > 1) finished_.arrive([] {});
}

void Pool::serve(unsigned thread) {
  std::uint32_t seen = 0;
  for (;;) {
    epoch_.wait_while(seen);
    ++seen;
    if (closing_.load(std::memory_order_relaxed)) return;
    (*body_)(thread);
    finished_.arrive([] {});
  }
}

}  // namespace loquent
