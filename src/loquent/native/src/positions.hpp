// What a stack adds or turns to tell where a token stands, in tables that grow with the positions.
#pragma once

#include <cstddef>

#include "buffer.hpp"
#include "model.hpp"

namespace loquent {

class PositionTables {
 public:
  // Makes room for the positions below `length`.
  void reserve(const Stack& stack, std::size_t length);

  // Sines and cosines added to the embedding (Vaswani et al. 2017, §3.5): [width].
  const float* sinusoid(std::size_t position) const { return sines_.data() + position * width_; }
  bool has_sinusoids() const { return sines_.data() != nullptr; }
  // Rotary positions (Su et al. 2021): cosines of all pairs, then sines; [2][pairs].
  const float* rotation(std::size_t position) const { return turns_.data() + position * 2 * pairs_; }
  std::size_t pairs() const { return pairs_; }
  // Relative positions (Raffel et al. 2020, §2.1): entry k is added to the score of key k.
  const float* bias(std::size_t head, std::size_t position) const {
    return biases_.data() + head * bias_stride_ + length_ - position;
  }

 private:
  void fill_sinusoids(bool halves);
  void fill_rotations(const StackSettings& settings);
  void fill_biases(const Stack& stack);

  std::size_t length_ = 0, width_ = 0, pairs_ = 0, bias_stride_ = 0;
  Buffer<float> sines_, turns_, biases_;
};

// Turns the pairs (i, i + pairs) of a head by the angles of a position.
void rotate(float* head, const float* rotation, std::size_t pairs);

}  // namespace loquent
