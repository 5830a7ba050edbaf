// A team of threads that walk through the phases of a step together.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "signal.hpp"

namespace loquent {

// Where threads wait for each other.
class Barrier {
 public:
  explicit Barrier(std::uint32_t threads) : threads_(threads) {}

  // Returns once all threads have arrived; the last one runs `finish` before any returns.
  template <class Finish>
  void arrive(Finish finish) {
    const std::uint32_t generation = generation_.value();
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
      arrived_.store(0, std::memory_order_relaxed);
      finish();
      generation_.advance();
    } else {
      generation_.wait_while(generation);
    }
  }

 private:
  const std::uint32_t threads_;
  alignas(64) std::atomic<std::uint32_t> arrived_{0};
  Signal generation_;
};

class Pool {
 public:
  explicit Pool(unsigned threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  unsigned threads() const { return threads_; }

  // Runs `body(thread)` on every thread, the caller's being thread 0, and returns when all have
  // returned. `body` must not throw: a step has checked and allocated all it needs before it runs.
  void run(const std::function<void(unsigned)>& body);

  // Inside `body`, called alike by all threads: `work(item)` for each item below `count`, each by
  // whichever thread comes first, and then a barrier. A thread that loses its core for a while thus
  // holds up the item it works on, not a share fixed before.
  template <class Work>
  void share(std::size_t count, Work work) {
    if (threads_ == 1) {
      for (std::size_t item = 0; item < count; ++item) work(item);
      return;
    }
    take(next_, 0, count, work);
    // nobody takes items while the last one arrives, so the counter can start anew there
    barrier_.arrive([this] { next_.begin(); });
  }

  // The same for items that read memory one behind the other: of the first `even`, each thread takes those
  // of a range of its own, so that what it asks for ahead is what it reads next; then what is left of all.
  template <class Work>
  void share_ranges(unsigned thread, std::size_t even, std::size_t count, Work work) {
    const std::size_t range = even / threads_;
    const auto take_range = [&](unsigned whose) {
      take(ranges_[whose], whose * range, (whose + 1) * range, work);
    };
    take_range(thread);
    take(next_, range * threads_, count, work);
    for (unsigned turn = 1; turn < threads_; ++turn) take_range((thread + turn) % threads_);
    barrier_.arrive([this] {
      next_.begin();
      for (Counter& each : ranges_) each.begin();
    });
  }

 private:
  struct Counter {
    void begin() { value.store(0, std::memory_order_relaxed); }
    alignas(64) std::atomic<std::size_t> value{0};
  };

  template <class Work>
  static void take(Counter& counter, std::size_t first, std::size_t end, const Work& work) {
    for (;;) {
      const std::size_t item = first + counter.value.fetch_add(1, std::memory_order_relaxed);
      if (item >= end) return;
      work(item);
    }
  }
  void serve(unsigned thread);

  const unsigned threads_;
  Barrier barrier_;   // between the phases of a step
  Barrier finished_;  // behind the last one
  Counter next_;
  std::vector<Counter> ranges_;  // one a thread
  Signal epoch_;  // counts steps; workers sleep until it moves on
  std::atomic<bool> closing_{false};
  const std::function<void(unsigned)>* body_ = nullptr;
  std::vector<std::thread> workers_;
};

}  // namespace loquent
