// The largest of some numbers and the sum of their exponentials, block by block, written once over a vector
// type (float_kernels.hpp).
#pragma once

#include "float_kernels.hpp"

namespace loquent {

// `tops`: of each kLeadingBlock numbers the largest. What is no number makes the sum none.
template <class V>
Total total(const float* x, std::size_t count, float* tops) {
  Total made{-INFINITY, 0.0};
  const std::size_t whole = count / kLeadingBlock * kLeadingBlock;
  for (std::size_t block = 0; block < whole; block += kLeadingBlock) {
    V top = V::load(x + block);
    for (std::size_t i = V::width; i < kLeadingBlock; i += V::width) top = V::max(top, V::load(x + block + i));
    const float most = max_lanes(top);
    *tops++ = most;
    made.most = most > made.most ? most : made.most;
  }
  float rest = -INFINITY;
  for (std::size_t i = whole; i < count; ++i) rest = x[i] > rest ? x[i] : rest;
  if (whole < count) *tops = rest;
  made.most = rest > made.most ? rest : made.most;
  const V most = V::set(made.most);
  for (std::size_t block = 0; block < whole; block += kLeadingBlock) {
    V sum = V::set(0.0f);
    for (std::size_t i = 0; i < kLeadingBlock; i += V::width)
      sum = sum + exponential(V::load(x + block + i) - most);
    made.sum += double(sum_lanes(sum));
  }
  for (std::size_t i = whole; i < count; ++i) made.sum += double(expf(x[i] - made.most));
  return made;
}

}  // namespace loquent
