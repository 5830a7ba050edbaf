// Waves from what a network says of the spectra of their frames.
#pragma once

#include <string>
#include <vector>

#include "kernels.hpp"

namespace loquent {

// What is said of each frame, [size / 2 + 1][frames] each.
struct MixParts {
  const float *harmonics, *turned, *noise, *rest, *phase;
  const float *radius, *angle;  // of the noise
};

class Mixer {
 public:
  // Frames as long as the window, each `hop` behind the one before. Throws std::invalid_argument for a length that
  // is not even, or of which a half has other factors than 2, 3 and 5.
  Mixer(const float* window, std::size_t size, std::size_t hop, const std::string& instruction_set);

  std::size_t size() const { return window_.size(); }
  std::size_t bins() const { return window_.size() / 2 + 1; }
  std::size_t samples(std::size_t frames) const { return (frames - 1) * hop_ + window_.size(); }

  // `pulses` and `out`: samples(frames); frames that lie over each other are added up.
  void run(const MixParts& parts, std::size_t frames, const float* pulses, float* out) const;

 private:
  const Kernels& kernels_;
  std::size_t hop_;
  std::vector<float> window_, twiddles_, turns_;
  std::vector<std::uint8_t> radices_;
};

// Numbers from 0 to below 1, of 24 bits: those of a key are always the same.
void draw_uniform(std::uint64_t key, float* out, std::size_t count);

}  // namespace loquent
