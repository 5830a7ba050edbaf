#include "convolution.hpp"

#include <algorithm>

#include "buffer.hpp"

namespace loquent {

namespace {

// A tile of time at work: its values, with zeros around the sequence, and the sums of some outputs.
class ConvolvedTile {
 public:
  ConvolvedTile(const Convolution& task, const Kernels& kernels, const float* panels)
      : task_(task),
        kernels_(kernels),
        panels_(panels),
        stride_(round_up(kConvolvedSteps + (task.taps - 1) * task.dilation, 16)) {
    values_.reserve(task.channels * stride_);
    sums_.reserve(kConvolvedRows * kConvolvedSteps);
  }

  void run(std::size_t first) {
    take(first);
    const std::size_t panel = task_.channels * task_.taps * kConvolvedRows;
    for (std::size_t row = 0; row < task_.outputs; row += kConvolvedRows) {
      kernels_.convolve({task_.channels, task_.taps, task_.dilation, panels_ + row / kConvolvedRows * panel,
                         values_.data(), stride_, sums_.data()});
      put(row, first);
    }
  }

 private:
  void take(std::size_t first) {
    const std::size_t skipped = first < task_.before ? std::min(stride_, task_.before - first) : 0;
    const std::size_t begin = std::min(first + skipped - task_.before, task_.length);
    const std::size_t end = skipped + std::min(stride_ - skipped, task_.length - begin);
    for (std::size_t channel = 0; channel < task_.channels; ++channel) {
      const float* from = task_.x + channel * task_.length + begin;
      float* to = values_.data() + channel * stride_;
      std::fill(to, to + skipped, 0.0f);
      for (std::size_t i = skipped; i < end; ++i) {
        const float value = from[i - skipped];
        to[i] = std::max(value, value * task_.slope);
      }
      std::fill(to + end, to + stride_, 0.0f);
    }
  }

  void put(std::size_t row, std::size_t first) {
    const std::size_t count = std::min(kConvolvedSteps, task_.steps - first);
    for (std::size_t r = 0; r < std::min(kConvolvedRows, task_.outputs - row); ++r) {
      const float* sums = sums_.data() + r * kConvolvedSteps;
      const float bias = task_.bias ? task_.bias[row + r] : 0.0f;
      const std::size_t at = (row + r) * task_.steps + first;
      float* out = task_.out + at;
      if (task_.residual)
        for (std::size_t t = 0; t < count; ++t) out[t] = sums[t] + bias + task_.residual[at + t];
      else
        for (std::size_t t = 0; t < count; ++t) out[t] = sums[t] + bias;
    }
  }

  const Convolution& task_;
  const Kernels& kernels_;
  const float* panels_;
  const std::size_t stride_;
  Buffer<float> values_, sums_;
};

// The kernel as the loop reads it, [outputs / 4][channels][taps][4]; zeros for outputs that are not there.
Buffer<float> panels(const Convolution& task) {
  const std::size_t weights = task.channels * task.taps;
  Buffer<float> made;
  made.reserve(round_up(task.outputs, kConvolvedRows) * weights);
  for (std::size_t row = 0; row < round_up(task.outputs, kConvolvedRows); ++row) {
    float* to = made.data() + row / kConvolvedRows * kConvolvedRows * weights + row % kConvolvedRows;
    for (std::size_t i = 0; i < weights; ++i)
      to[i * kConvolvedRows] = row < task.outputs ? task.kernel[row * weights + i] : 0.0f;
  }
  return made;
}

}  // namespace

void convolve(const Convolution& task, const Kernels& kernels) {
  const Buffer<float> ready = panels(task);
  ConvolvedTile tile(task, kernels, ready.data());
  for (std::size_t first = 0; first < task.steps; first += kConvolvedSteps) tile.run(first);
}

}  // namespace loquent
