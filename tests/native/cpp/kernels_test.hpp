// The floating-point kernels of every instruction set of this machine, beside the scalar ones.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "check.hpp"
#include "kernels.hpp"

namespace loquent {

class FloatTest {
 public:
  FloatTest(const Kernels& kernels, const Kernels& scalar) : own_(kernels), scalar_(scalar) {}

  std::size_t run() {  // gives the number of cases
    for (std::size_t width = 1; width <= 70; ++width)
      for (const bool rms : {false, true})
        for (const bool bias : {false, true}) norm(width, rms, bias);
    for (std::size_t i = 0; i < kActivations; ++i) activate(i);
    for (const std::size_t count : {16, 48, 176}) multiply(count), scale(count), halve(count);
    for (const std::size_t width : {16, 48, 80})
      for (std::size_t queries = 1; queries <= kQueries; ++queries)
        for (const std::size_t end : {4, 16, 37, 128, 300})
          for (const bool bias : {false, true}) {
            attend<float>(own_.attend_float, scalar_.attend_float, width, queries, end, bias);
            attend<Half>(own_.attend_half, scalar_.attend_half, width, queries, end, bias);
          }
    return cases_;
  }

 private:
  using Floats = std::vector<float>;

  Floats normal(std::size_t count, float spread = 1.0f) {
    std::normal_distribution<float> numbers(0.0f, spread);
    Floats made(count);
    for (float& each : made) each = numbers(random_);
    return made;
  }
  // Within 1e-5 of the size of each, or of 1 where they are smaller; no numbers in the same places.
  void close(const Floats& own, const Floats& scalar) {
    ++cases_;
    for (std::size_t i = 0; i < own.size(); ++i) {
      if (own[i] == scalar[i] || (std::isnan(own[i]) && std::isnan(scalar[i]))) continue;
      CHECK(std::fabs(own[i] - scalar[i]) <= 1e-5f * std::max(1.0f, std::fabs(scalar[i])));
    }
  }

  void norm(std::size_t width, bool rms, bool bias) {
    const Floats x = normal(width + 4, 3.0f), weights = normal(width), biases = normal(width);
    const Norm n{rms, 1e-5f, width, weights.data(), bias ? biases.data() : nullptr};
    Floats own(width + 4, 7.0f), scalar = own, in_place = x;
    own_.norm(n, x.data(), own.data());
    scalar_.norm(n, x.data(), scalar.data());
    close(own, scalar);  // what stands behind the width included: nobody writes there
    own_.norm(n, in_place.data(), in_place.data());
    CHECK(std::equal(own.begin(), own.end() - 4, in_place.begin()));
  }

  void activate(std::size_t activation) {
    Floats own = {0.0f, -0.0f, 1e-30f, -1e-30f, INFINITY, -INFINITY, NAN, 1e30f, -1e30f};
    for (float x = -100.0f; x < 100.0f; x += 0.13f) own.push_back(x);
    const Floats near = normal(1000);
    own.insert(own.end(), near.begin(), near.end());
    own.resize(round_up(own.size(), 16));
    Floats scalar = own;
    own_.activate[activation](own.data(), own.size());
    scalar_.activate[activation](scalar.data(), scalar.size());
    close(own, scalar);
  }

  void multiply(std::size_t count) {
    Floats own = normal(count + 16), scalar = own;
    const Floats factors = normal(count);
    own_.multiply(own.data(), factors.data(), count);
    scalar_.multiply(scalar.data(), factors.data(), count);
    equal(own, scalar);
  }
  void scale(std::size_t count) {
    Floats own = normal(count + 16), scalar = own;
    own_.scale(own.data(), 0.3f, count);
    scalar_.scale(scalar.data(), 0.3f, count);
    equal(own, scalar);
  }
  void equal(const Floats& own, const Floats& scalar) {
    ++cases_;
    CHECK(own == scalar);
  }

  void halve(std::size_t count) {
    Floats x = normal(count, 3.0f);
    const float odd[] = {INFINITY, -INFINITY, 1e6f, 65519.0f, 65520.0f, 0x1p-24f, 0x1.8p-24f, 0x1p-25f,
                         -0.0f, 0x1.002p0f, 0x1.006p0f, -0x1.ffcp-15f, 0x1.ffep-15f, 1e-10f};
    std::copy(std::begin(odd), std::end(odd), x.begin() + 1);
    x[0] = NAN;
    std::vector<Half> own(count + 16, Half{77}), scalar = own;
    own_.halve(x.data(), own.data(), count);
    scalar_.halve(x.data(), scalar.data(), count);
    CHECK(std::isnan(to_float(own[0])) && std::isnan(to_float(scalar[0])));
    for (std::size_t i = 1; i < own.size(); ++i) CHECK(own[i].bits == scalar[i].bits);
    ++cases_;
  }

  template <class E>
  void attend(void (*own)(const Attend&), void (*scalar)(const Attend&), std::size_t width,
              std::size_t queries, std::size_t end, bool bias) {
    const std::size_t blocks = round_up(end, kBlockPositions) / kBlockPositions;
    std::vector<std::vector<E>> memory(blocks);  // each: a number that is none, keys, values
    std::vector<const std::byte*> starts;
    for (std::vector<E>& block : memory) {
      for (const float value : normal(1 + 2 * width * kBlockPositions))
        if constexpr (sizeof(E) == 2) block.push_back(to_half(value)); else block.push_back(value);
      starts.push_back(reinterpret_cast<const std::byte*>(block.data()));
    }
    Attend a{width, starts.data(), sizeof(E), (1 + width * kBlockPositions) * sizeof(E), queries,
             {}, {}, {}, {}};
    std::vector<Floats> query, biases, found[2];
    for (std::size_t q = 0; q < queries; ++q) {
      query.push_back(normal(width, 0.5f)), biases.push_back(normal(blocks * kBlockPositions));
      found[0].push_back(Floats(width + 4, 7.0f)), found[1].push_back(found[0].back());
    }
    for (std::size_t q = 0; q < queries; ++q) {
      a.query[q] = query[q].data(), a.limit[q] = end - queries + 1 + q;
      a.bias[q] = bias && q != 2 ? biases[q].data() : nullptr;
    }
    for (std::size_t which = 0; which < 2; ++which) {
      for (std::size_t q = 0; q < queries; ++q) a.out[q] = found[which][q].data();
      (which ? scalar : own)(a);
    }
    for (std::size_t q = 0; q < queries; ++q) close(found[0][q], found[1][q]);
  }

  const Kernels &own_, &scalar_;
  std::mt19937 random_{11};
  std::size_t cases_ = 0;
};

}  // namespace loquent
