#include "leading.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "isa.hpp"

namespace loquent {

namespace {

struct Found {
  float value;
  std::int32_t place;
  bool operator<(const Found& other) const {  // comes before
    return value > other.value || (value == other.value && place < other.place);
  }
};

// A number that at least `wanted` are not below: each of so many blocks has one.
float bound(std::vector<float> tops, std::size_t wanted) {
  if (tops.size() < wanted) return -INFINITY;
  const auto place = tops.begin() + std::ptrdiff_t(wanted - 1);
  std::nth_element(tops.begin(), place, tops.end(), std::greater<>());
  return *place;
}

}  // namespace

void leading(const float* logits, std::size_t rows, std::size_t columns, std::size_t stride,
             const Leading& out, const std::string& instruction_set) {
  const Kernels& table = kernels(instruction_set);
  std::vector<float> tops((columns + kLeadingBlock - 1) / kLeadingBlock);
  std::vector<Found> found;
  for (std::size_t row = 0; row < rows; ++row) {
    const float* x = logits + row * stride;
    const Total total = table.total(x, columns, tops.data());
    const double sum = total.most + std::log(total.sum);
    out.totals[row] = sum;
    if (!std::isfinite(sum)) {  // what is no number has no order
      std::fill_n(out.places + row * out.wanted, out.wanted, 0);
      std::fill_n(out.values + row * out.wanted, out.wanted, -INFINITY);
      continue;
    }
    const float least = bound(tops, out.wanted);
    found.clear();
    for (std::size_t block = 0; block < tops.size(); ++block) {
      if (tops[block] < least) continue;
      const std::size_t end = std::min((block + 1) * kLeadingBlock, columns);
      for (std::size_t i = block * kLeadingBlock; i < end; ++i)
        if (x[i] >= least) found.push_back({x[i], std::int32_t(i)});
    }
    std::partial_sort(found.begin(), found.begin() + std::ptrdiff_t(out.wanted), found.end());
    for (std::size_t i = 0; i < out.wanted; ++i) {
      out.places[row * out.wanted + i] = found[i].place;
      out.values[row * out.wanted + i] = found[i].value;
    }
  }
}

}  // namespace loquent
