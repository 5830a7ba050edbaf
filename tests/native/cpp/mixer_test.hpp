// Frames that are mixed beside the sums that say what they are.
#pragma once

#include <cmath>
#include <complex>
#include <numbers>
#include <random>
#include <string>
#include <vector>

#include "check.hpp"
#include "isa.hpp"
#include "mixer.hpp"

namespace loquent {

inline void test_mixer(std::size_t size, std::size_t frames, const std::string& instruction_set) {
  using Floats = std::vector<float>;
  const std::size_t hop = size / 4, bins = size / 2 + 1;
  std::mt19937 random(7);
  std::normal_distribution<float> numbers;
  const auto normal = [&](std::size_t count) {
    Floats made(count);
    for (float& each : made) each = numbers(random);
    return made;
  };
  const Floats window = normal(size);
  const Mixer mixer(window.data(), size, hop, instruction_set);
  std::vector<Floats> parts;
  for (int i = 0; i < 7; ++i) parts.push_back(normal(bins * frames));
  const Floats pulses = normal(mixer.samples(frames));
  Floats found(pulses.size());
  std::vector<double> wanted(pulses.size());
  mixer.run({parts[0].data(), parts[1].data(), parts[2].data(), parts[3].data(), parts[4].data(), parts[5].data(),
             parts[6].data()}, frames, pulses.data(), found.data());
  const double turn = 2 * std::numbers::pi / double(size);
  for (std::size_t frame = 0; frame < frames; ++frame) {
    std::vector<std::complex<double>> spectrum(bins);
    for (std::size_t k = 0; k < bins; ++k) {
      std::complex<double> pulse = 0;
      for (std::size_t n = 0; n < size; ++n)
        pulse += std::polar(double(pulses[frame * hop + n] * window[n]), -turn * double(k * n % size));
      const auto part = [&](int i) { return double(parts[std::size_t(i)][k * frames + frame]); };
      const double share = 4.0 / double(size);
      spectrum[k] = pulse * share * std::polar(std::exp(part(0)), std::numbers::pi * std::tanh(part(1))) +
                    std::exp(part(2)) * part(5) * std::polar(1.0, part(6)) + std::polar(std::exp(part(3)), part(4));
    }
    for (std::size_t n = 0; n < size; ++n) {
      double sum = spectrum[0].real() + spectrum[bins - 1].real() * (n % 2 ? -1 : 1);
      for (std::size_t k = 1; k + 1 < bins; ++k)
        sum += 2 * (spectrum[k] * std::polar(1.0, turn * double(k * n % size))).real();
      wanted[frame * hop + n] += sum / double(size) * window[n];
    }
  }
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(std::fabs(found[i] - wanted[i]) < 2e-5);
}

inline void test_mixers() {
  for (const std::string& name : instruction_sets())
    for (const std::size_t size : {8, 60, 240})
      for (const std::size_t frames : {1, 16, 21}) test_mixer(size, frames, name);
}

}  // namespace loquent
