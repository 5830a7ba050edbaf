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
    for (const std::size_t count : {16, 48, 176}) multiply(count), scale(count);
    for (const std::size_t channels : {1, 5})
      for (const std::size_t taps : {1, 4})
        for (const std::size_t rows : {1, 3, 8})
          for (const std::size_t steps : {16, 32, 48}) convolve(channels, taps, 3, rows, steps);
    for (const std::size_t count : {16, 176}) bend(count);
    halves();
    for (const auto numbers : {&Kernels::floats, &Kernels::halves})
      for (const std::size_t width : {16, 48, 80, 160, 304})
        for (std::size_t queries = 1; queries <= (own_.*numbers).queries; ++queries)
          for (const std::size_t end : {4, 16, 37, 128, 300})
            for (const bool bias : {false, true})
              if (end >= queries) attend(numbers, width, queries, end, bias);
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
  // Within a distance relative to the size of each, or of 1 where they are smaller; no numbers in the same
  // places.
  void close(const Floats& own, const Floats& scalar, float distance = 1e-5f) {
    ++cases_;
    for (std::size_t i = 0; i < own.size(); ++i) {
      if (own[i] == scalar[i] || (std::isnan(own[i]) && std::isnan(scalar[i]))) continue;
      CHECK(std::fabs(own[i] - scalar[i]) <= distance * std::max(1.0f, std::fabs(scalar[i])));
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

  void convolve(std::size_t channels, std::size_t taps, std::size_t dilation, std::size_t rows,
                std::size_t steps) {
    const std::size_t stride = kConvolvedSteps + (taps - 1) * dilation;
    const Floats x = normal(channels * stride), kernel = normal(channels * taps * kConvolvedRows);
    const Floats bias = normal(kConvolvedRows), first = normal(rows * stride), second = normal(rows * stride);
    Convolve task{channels, taps, dilation, steps, kernel.data(), bias.data(), x.data(), stride, rows, {}, 0.7f,
                  0.1f, nullptr, nullptr, stride};
    for (std::size_t added = 0; added < kMostAdded; ++added) {
      if (added) task.added[added - 1] = added == 1 ? first.data() : second.data();
      Floats own(rows * stride, 7.0f), own_bent = own, scalar = own, scalar_bent = own;  // nobody writes elsewhere
      task.out = own.data(), task.bent = own_bent.data();
      own_.convolve(task);
      task.out = scalar.data(), task.bent = scalar_bent.data();
      scalar_.convolve(task);
      close(own, scalar), close(own_bent, scalar_bent);
    }
  }
  void bend(std::size_t count) {
    const Floats x = normal(count);
    Floats own(count), scalar(count);
    own_.bend(x.data(), 0.1f, own.data(), count);
    scalar_.bend(x.data(), 0.1f, scalar.data(), count);
    equal(own, scalar);
  }

  // Halves are kept as the nearest; infinite ones as the largest. (Other numbers of 16 bits are not.)
  void halves() {
    if (brained()) return;
    constexpr std::size_t width = 16;
    Floats key = normal(width, 3.0f), value = key;
    const float odd[] = {INFINITY, -INFINITY, 1e6f, 65519.0f, 65520.0f, 0x1p-24f, 0x1.8p-24f, 0x1p-25f,
                         -0.0f, 0x1.002p0f, 0x1.006p0f, -0x1.ffcp-15f, 0x1.ffep-15f, 1e-10f};
    std::copy(std::begin(odd), std::end(odd), key.begin() + 1);
    std::copy(std::begin(odd), std::end(odd), value.begin() + 2);
    key[0] = value[0] = NAN;
    constexpr std::size_t count = width * kBlockPositions;
    std::vector<Half> own(2 * count, Half{77}), scalar = own;
    for (std::vector<Half>* each : {&own, &scalar}) {
      std::byte* keys = reinterpret_cast<std::byte*>(each->data());
      (each == &own ? own_ : scalar_)
          .halves.put({width, 3, key.data(), value.data(), keys, keys + count * sizeof(Half)});
    }
    for (std::size_t i = 0; i < own.size(); ++i)
      CHECK(own[i].bits == scalar[i].bits ||
            (std::isnan(to_float(own[i])) && std::isnan(to_float(scalar[i]))));
    CHECK(std::isnan(to_float(own[3])) && to_float(own[kBlockPositions + 3]) == kHalfMax);
    ++cases_;
  }

  // One row's keys and values as a set keeps them, behind a number that is none.
  struct Remembered {
    Remembered(const Kernels::Memory& kernels, std::size_t element_bytes, std::size_t width,
               const Floats& keys, const Floats& values)
        : keys_at(64), values_at(64 + width * kBlockPositions * element_bytes) {
      for (std::size_t i = 0; i * width < keys.size(); ++i) {
        if (i % kBlockPositions == 0) {
          blocks.emplace_back(values_at + width * kBlockPositions * element_bytes, std::byte(0xff));
          starts.push_back(blocks.back().data());
        }
        std::byte* block = blocks.back().data();
        kernels.put({width, i % kBlockPositions, keys.data() + i * width, values.data() + i * width,
                     block + keys_at, block + values_at});
      }
    }
    std::vector<std::vector<std::byte>> blocks;  // what is not written holds no numbers
    std::vector<const std::byte*> starts;
    const std::size_t keys_at, values_at;
  };

  // Numbers of 16 bits that are upper halves of floats come out within what the weights are rounded to.
  void attend(Kernels::Memory Kernels::*numbers, std::size_t width, std::size_t queries, std::size_t end,
              bool bias) {
    const std::size_t bytes = numbers == &Kernels::floats ? 4 : 2, blocks = round_up(end, kBlockPositions);
    const bool rounded = numbers == &Kernels::halves && brained();
    const Floats keys = brain(normal(end * width)), values = brain(normal(end * width));
    const Remembered own(own_.*numbers, bytes, width, keys, values);
    const Remembered scalar(scalar_.*numbers, bytes, width, keys, values);
    std::vector<Floats> query, biases, found[2];
    for (std::size_t q = 0; q < queries; ++q) {
      query.push_back(brain(normal(width, 0.5f))), biases.push_back(normal(blocks));
      found[0].push_back(Floats(width + 4, 7.0f)), found[1].push_back(found[0].back());
    }
    for (std::size_t begin = 0; begin < queries; begin += kFew)
      attend(scalar_.*numbers, scalar, begin, std::min(kFew, queries - begin), end - queries, bias, query,
             biases, found[1]);
    attend(own_.*numbers, own, 0, queries, end - queries, bias, query, biases, found[0]);
    for (std::size_t q = 0; q < queries; ++q) {
      close(found[0][q], found[1][q], rounded ? 6e-3f : 1e-5f);
      Floats scores[2] = {Floats(kBlockPositions), Floats(kBlockPositions)};
      (own_.*numbers).score(query[q].data(), own.starts[0] + own.keys_at, width, scores[0].data());
      (scalar_.*numbers).score(query[q].data(), scalar.starts[0] + scalar.keys_at, width, scores[1].data());
      close(scores[0], scores[1]);
    }
  }
  static void attend(const Kernels::Memory& kernels, const Remembered& row, std::size_t begin,
                     std::size_t queries, std::size_t before, bool bias, const std::vector<Floats>& query,
                     const std::vector<Floats>& biases, std::vector<Floats>& found) {
    Attend a{query[0].size(), row.starts.data(), row.keys_at, row.values_at, queries, {}, {}, {}, {}};
    for (std::size_t i = 0; i < queries; ++i) {
      const std::size_t q = begin + i;
      a.query[i] = query[q].data(), a.limit[i] = before + q + 1, a.out[i] = found[q].data();
      a.bias[i] = bias && q != 2 ? biases[q].data() : nullptr;
    }
    kernels.attend(a);
  }
  bool brained() const { return std::strcmp(own_.name, "amx") == 0; }  // keeps upper halves of floats
  static Floats brain(Floats x) {
    for (float& each : x) each = bf16_to_float(to_bf16(each));
    return x;
  }

  static constexpr std::size_t kFew = 4;  // queries that every set takes
  const Kernels &own_, &scalar_;
  std::mt19937 random_{11};
  std::size_t cases_ = 0;
};

}  // namespace loquent
