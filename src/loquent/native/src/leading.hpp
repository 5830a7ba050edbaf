// The likeliest of the tokens that logits tell of, with the logarithm of the sum of all exponentials.
#pragma once

#include <cstdint>
#include <string>

#include "kernels.hpp"

namespace loquent {

struct Leading {
  std::size_t wanted;    // of each row, at most its columns
  std::int32_t* places;  // [rows][wanted]; the largest first, of equal ones the first
  float* values;         // the same
  double* totals;        // [rows]; no number where a logit is none or infinite ones are there
};

void leading(const float* logits, std::size_t rows, std::size_t columns, std::size_t stride,
             const Leading& out, const std::string& instruction_set);

}  // namespace loquent
