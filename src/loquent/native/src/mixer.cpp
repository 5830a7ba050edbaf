#include "mixer.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>

#include "buffer.hpp"
#include "isa.hpp"

namespace loquent {

namespace {

void append_turn(std::vector<float>& to, double share) {  // e^(-2 pi i share)
  to.push_back(float(std::cos(2 * std::numbers::pi * share)));
  to.push_back(float(-std::sin(2 * std::numbers::pi * share)));
}

}  // namespace

Mixer::Mixer(const float* window, std::size_t size, std::size_t hop, const std::string& instruction_set)
    : kernels_(kernels(instruction_set)), hop_(hop), window_(window, window + size) {
  const std::size_t points = size / 2;
  if (!points || size % 2 || !hop) throw std::invalid_argument("a frame is of an even number of samples.");
  std::size_t left = points;
  for (const std::uint8_t radix : {4, 2, 3, 5})
    while (left % radix == 0) {
      const double whole = double(left);
      left /= radix;
      radices_.push_back(radix);
      for (std::size_t p = 0; p < left; ++p)
        for (std::size_t j = 1; j < radix; ++j) append_turn(twiddles_, double(p * j) / whole);
    }
  if (left != 1) throw std::invalid_argument("a frame is of 2, 3 and 5 times so many samples.");
  for (std::size_t k = 0; k <= points; ++k) append_turn(turns_, double(k) / double(size));
}

void Mixer::run(const MixParts& parts, std::size_t frames, const float* pulses, float* out) const {
  static thread_local Buffer<float> work, rest;
  const std::size_t points = size() / 2, padded = bins() * kMixedFrames;
  work.reserve(mix_work(points));
  std::fill_n(out, samples(frames), 0.0f);
  for (std::size_t first = 0; first < frames; first += kMixedFrames) {
    const std::size_t count = std::min(kMixedFrames, frames - first);
    const float* of[] = {parts.harmonics, parts.turned, parts.noise, parts.rest, parts.phase, parts.radius, parts.angle};
    std::size_t stride = frames;
    if (count == kMixedFrames) {
      for (const float*& each : of) each += first;
    } else {  // behind the last frame there is nothing to read
      rest.reserve(std::size(of) * padded);
      for (std::size_t i = 0; i < std::size(of); ++i) {
        float* to = rest.data() + i * padded;
        for (std::size_t bin = 0; bin < bins(); ++bin)
          std::copy_n(of[i] + bin * frames + first, count, to + bin * kMixedFrames);
        of[i] = to;
      }
      stride = kMixedFrames;
    }
    kernels_.mix({{points, radices_.size(), radices_.data(), twiddles_.data(), turns_.data()}, count, of[0], of[1],
                  of[2], of[3], of[4], of[5], of[6], stride, pulses + first * hop_, window_.data(), hop_, work.data(),
                  out + first * hop_});
  }
}

void draw_uniform(std::uint64_t key, float* out, std::size_t count) {
  for (std::size_t i = 0; i < count; i += 2) {  // Steele et al. 2014, figure 16 (SplitMix)
    std::uint64_t z = key += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    out[i] = float(std::uint32_t(z >> 40)) * 0x1p-24f;
    if (i + 1 < count) out[i + 1] = float(std::uint32_t(z >> 8) & 0xffffffu) * 0x1p-24f;
  }
}

}  // namespace loquent
