// A chain of convolutions beside loops that say what it is, from two threads at once.
#pragma once

#include <cmath>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "chain.hpp"
#include "check.hpp"
#include "isa.hpp"

namespace loquent {

class ChainTest {
 public:
  using Floats = std::vector<float>;

  ChainTest(std::size_t length, const std::string& instruction_set)
      : length_(length), chain_({{kIn, 0.1f}}, instruction_set) {
    x_ = normal(kIn * length);
    const Floats wide = normal(kOut * kStretch * kIn * 2), first = normal(kOut * kOut * 3);
    const Floats second = normal(kOut * kOut * 5), bias = normal(kOut);
    chain_.add({0, true, kIn, kOut, 2, 1, kStretch, 2, 2, {}, 1.0f, 0.2f, false}, wide.data(), bias.data());
    chain_.add({1, true, kOut, kOut, 3, 2, 1, 2, 2, {1}, 0.5f, 0.3f, false}, first.data(), nullptr);
    chain_.add({2, true, kOut, kOut, 5, 6, 1, 12, 12, {2, 1}, 1.0f, 1.0f, true}, second.data(), bias.data());
    const std::size_t steps = kStretch * (length + 1) - 4;
    Floats stretched(kOut * kStretch * (length + 1));
    each(kOut * kStretch, length + 1, [&](std::size_t row, std::size_t q) {
      float sum = bias[row / kStretch];
      for (std::size_t c = 0; c < kIn; ++c)
        for (std::size_t j = 0; j < 2; ++j)
          if (q + j >= 1 && q + j <= length)
            sum += wide[(row * kIn + c) * 2 + j] * bent(x_[c * length + q + j - 1], 0.1f);
      stretched[row / kStretch * kStretch * (length + 1) + q * kStretch + row % kStretch] = sum;
    });
    Floats a(kOut * steps);
    each(kOut, steps, [&](std::size_t o, std::size_t t) { a[o * steps + t] = stretched[o * (steps + 4) + t + 2]; });
    Floats b = convolved(a, first, steps, 3, 2, 0.2f), c;
    each(kOut, steps, [&](std::size_t o, std::size_t t) { b[o * steps + t] = (b[o * steps + t] + a[o * steps + t]) * 0.5f; });
    c = convolved(b, second, steps, 5, 6, 0.3f);
    each(kOut, steps, [&](std::size_t o, std::size_t t) {
      float& y = c[o * steps + t];
      y = std::tanh(y + bias[o] + a[o * steps + t] + b[o * steps + t]);
    });
    wanted_ = c;
  }

  void run() const {
    const std::vector<std::size_t> lengths = chain_.lengths({length_});
    CHECK(lengths.back() * kOut == wanted_.size());
    std::vector<Floats> found(2, Floats(wanted_.size()));
    std::thread other([&] { chain_.run({x_.data()}, lengths, false, found[1].data()); });
    chain_.run({x_.data()}, lengths, false, found[0].data(), 3);
    other.join();
    CHECK(found[0] == found[1]);
    for (std::size_t i = 0; i < wanted_.size(); ++i) CHECK(std::fabs(found[0][i] - wanted_[i]) < 1e-4f);
  }

 private:
  static constexpr std::size_t kIn = 3, kOut = 5, kStretch = 4;

  template <class Work>
  static void each(std::size_t rows, std::size_t steps, Work work) {
    for (std::size_t row = 0; row < rows; ++row)
      for (std::size_t t = 0; t < steps; ++t) work(row, t);
  }
  static float bent(float x, float slope) { return x < 0.0f ? slope * x : x; }

  static Floats convolved(const Floats& x, const Floats& kernel, std::size_t steps, std::size_t taps,
                          std::size_t dilation, float slope) {
    Floats made(kOut * steps);
    const std::ptrdiff_t before = std::ptrdiff_t(dilation * (taps - 1) / 2);
    each(kOut, steps, [&](std::size_t o, std::size_t t) {
      for (std::size_t c = 0; c < kOut; ++c)
        for (std::size_t k = 0; k < taps; ++k) {
          const std::ptrdiff_t at = std::ptrdiff_t(t + k * dilation) - before;
          if (at >= 0 && at < std::ptrdiff_t(steps))
            made[o * steps + t] += kernel[(o * kOut + c) * taps + k] * bent(x[c * steps + std::size_t(at)], slope);
        }
    });
    return made;
  }

  Floats normal(std::size_t count) {
    std::normal_distribution<float> numbers(0.0f, 0.3f);
    Floats made(count);
    for (float& each : made) each = numbers(random_);
    return made;
  }

  std::mt19937 random_{5};
  std::size_t length_;
  Chain chain_;
  Floats x_, wanted_;
};

inline void test_chains() {
  for (const std::string& name : instruction_sets())
    for (const std::size_t length : {1, 2, 13, 300, 3001, 150'000}) ChainTest(length, name).run();
}

}  // namespace loquent
