#include "positions.hpp"

#include <algorithm>
#include <cmath>

namespace loquent {

void PositionTables::reserve(const Stack& stack, std::size_t length) {
  if (length <= length_) return;
  length_ = round_up(std::max(length, 2 * length_), kBlockPositions);
  width_ = stack.settings.width;
  switch (stack.settings.positions) {
    case Positions::sinusoidal: fill_sinusoids(false); break;
    case Positions::sinusoidal_halves: fill_sinusoids(true); break;
    case Positions::rotary: fill_rotations(stack.settings); break;
    case Positions::relative: fill_biases(stack); break;
    case Positions::none:
    case Positions::learned: break;
  }
}

void PositionTables::fill_sinusoids(bool halves) {
  sines_.reserve(length_ * width_);
  const std::size_t half = width_ - width_ / 2;  // the sines, which come first
  for (std::size_t position = 0; position < length_; ++position)
    for (std::size_t i = 0; i < width_; ++i) {
      const double even = double(i - i % 2);
      const double angle = double(position) * std::pow(10000.0, -even / double(width_));
      const std::size_t place = halves ? i / 2 + (i % 2 ? half : 0) : i;
      sines_.data()[position * width_ + place] = float(i % 2 ? std::cos(angle) : std::sin(angle));
    }
}

void PositionTables::fill_rotations(const StackSettings& settings) {
  pairs_ = settings.rotary_frequencies.size();
  turns_.reserve(length_ * 2 * pairs_);
  for (std::size_t position = 0; position < length_; ++position)
    for (std::size_t pair = 0; pair < pairs_; ++pair) {
      const double angle = double(position) * settings.rotary_frequencies[pair];
      float* turn = turns_.data() + position * 2 * pairs_ + pair;
      turn[0] = float(std::cos(angle) * settings.rotary_magnitude);
      turn[pairs_] = float(std::sin(angle) * settings.rotary_magnitude);
    }
}

void PositionTables::fill_biases(const Stack& stack) {
  const auto& buckets = stack.settings.relative_buckets;
  const std::ptrdiff_t distance = std::ptrdiff_t(buckets.size() / 2), length = std::ptrdiff_t(length_);
  const std::size_t heads = stack.settings.heads;
  bias_stride_ = 2 * length_ + kBlockPositions;
  biases_.reserve(heads * bias_stride_);
  for (std::size_t head = 0; head < heads; ++head)
    for (std::ptrdiff_t i = 0; i < std::ptrdiff_t(bias_stride_); ++i) {
      const std::ptrdiff_t offset = std::clamp(i - length, -distance, distance);
      const std::size_t bucket = buckets[std::size_t(offset + distance)];
      biases_.data()[head * bias_stride_ + std::size_t(i)] = stack.relative[bucket * heads + head];
    }
}

void rotate(float* head, const float* rotation, std::size_t pairs) {
  const float* cosine = rotation;
  const float* sine = rotation + pairs;
  for (std::size_t i = 0; i < pairs; ++i) {
    const float first = head[i], second = head[i + pairs];
    head[i] = first * cosine[i] - second * sine[i];
    head[i + pairs] = second * cosine[i] + first * sine[i];
  }
}

}  // namespace loquent
