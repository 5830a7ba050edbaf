// The likeliest of some logits beside a full sort, in memory that ends where they end.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "check.hpp"
#include "isa.hpp"
#include "leading.hpp"

namespace loquent {

inline void test_leading_of(std::size_t columns, std::size_t wanted, const std::string& set) {
  constexpr std::size_t rows = 3;
  std::mt19937 random(unsigned(columns + wanted));
  std::normal_distribution<float> normal(0.0f, 4.0f);
  const std::unique_ptr<float[]> x(new float[rows * columns]);
  for (std::size_t i = 0; i < rows * columns; ++i) x[i] = i < columns ? std::round(normal(random)) : normal(random);
  std::vector<std::int32_t> places(rows * wanted);
  std::vector<float> values(rows * wanted);
  std::vector<double> totals(rows);
  leading(x.get(), rows, columns, columns, {wanted, places.data(), values.data(), totals.data()}, set);
  for (std::size_t row = 0; row < rows; ++row) {
    const float* own = x.get() + row * columns;
    std::vector<std::int32_t> order(columns);
    for (std::size_t i = 0; i < columns; ++i) order[i] = std::int32_t(i);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return own[a] > own[b]; });
    double sum = 0.0;
    for (std::size_t i = 0; i < columns; ++i) sum += std::exp(double(own[i]) - own[order[0]]);
    CHECK(std::fabs(totals[row] - own[order[0]] - std::log(sum)) < 3e-6);
    for (std::size_t i = 0; i < wanted; ++i) {
      CHECK(places[row * wanted + i] == order[i]);
      CHECK(values[row * wanted + i] == own[order[i]]);
    }
  }
}

inline void test_leading() {
  for (const std::string& set : instruction_sets())
    for (const std::size_t columns : {1u, 7u, 64u, 65u, 1000u})
      for (const std::size_t wanted : {1u, 8u, 64u}) test_leading_of(columns, std::min<std::size_t>(wanted, columns), set);
}

}  // namespace loquent
