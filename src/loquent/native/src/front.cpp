#include "front.hpp"

#include <algorithm>
#include <cstring>

#include "strips.hpp"

namespace loquent {

FrontRunner::FrontRunner(const Stack& stack, const Kernels& kernels, Pool& pool)
    : stack_(stack),
      front_(stack.settings.front),
      kernels_(kernels),
      pool_(pool),
      levels_(front_.kernels.size() - 1),
      windows_(pool.threads()) {
  std::size_t widest = 0;
  for (const Matrix& matrix : stack.front) widest = std::max(widest, matrix.columns);
  for (Buffer<float>& window : windows_) window.reserve(widest);
}

void FrontRunner::reserve(std::size_t frames) {
  std::size_t bytes = 0;
  for (std::size_t level = 0; level < stack_.front.size(); ++level) {
    frames = front_.states(level, frames);
    const Matrix& matrix = stack_.front[level];
    if (level < levels_.size()) levels_[level].reserve(frames * matrix.padded_rows());
    bytes = std::max(bytes, frames * code_stride(matrix.columns));
  }
  records_.reserve(bytes);
}

void FrontRunner::run(const Sound& sound, float* states, unsigned thread) {
  const float* x = sound.features;
  std::size_t stride = front_.features, frames = sound.frames;
  for (std::size_t level = 0; level < stack_.front.size(); ++level) {
    float* out = level < levels_.size() ? levels_[level].data() : states;
    encode(level, x, stride, frames, thread);
    frames = front_.states(level, frames);
    multiply(level, frames, out);
    x = out, stride = stack_.front[level].padded_rows();
  }
}

// Encodes for each state the frames that it sees, one behind the other; beyond the ends are zeros.
void FrontRunner::encode(std::size_t level, const float* x, std::size_t stride, std::size_t frames,
                         unsigned thread) {
  const Matrix& matrix = stack_.front[level];
  const std::size_t width = level ? stack_.settings.width : front_.features;
  const std::size_t kernel = front_.kernels[level], step = front_.strides[level];
  pool_.share(front_.states(level, frames), [&](std::size_t state) {
    float* window = windows_[thread].data();
    for (std::size_t k = 0; k < kernel; ++k) {
      const std::size_t at = state * step + k;  // half a kernel further than the frame
      const bool there = at >= kernel / 2 && at - kernel / 2 < frames;
      if (there)
        std::memcpy(window + k * width, x + (at - kernel / 2) * stride, width * sizeof(float));
      else
        std::memset(window + k * width, 0, width * sizeof(float));
    }
    std::memset(window + kernel * width, 0, (matrix.columns - kernel * width) * sizeof(float));
    kernels_.encode[std::size_t(matrix.kind)](window, matrix.columns,
                                              records_.data() + state * code_stride(matrix.columns));
  });
}

void FrontRunner::multiply(std::size_t level, std::size_t states, float* out) {
  const Matrix& matrix = stack_.front[level];
  const Strips strips(matrix.padded_rows(), states, pool_.threads());
  const auto product = kernels_.product[std::size_t(matrix.kind)];
  const auto activate = kernels_.activate[std::size_t(front_.activation)];
  const std::size_t stride = matrix.padded_rows();
  pool_.share(strips.count(), [&](std::size_t item) {
    const auto [row, rows, state] = strips[item];
    const std::size_t count = std::min(kTileTokens, states - state);
    float* y = out + state * stride + row;
    product({&matrix, row, rows, records_.data() + state * code_stride(matrix.columns), count,
             y, stride, false});
    for (std::size_t i = 0; i < count; ++i) activate(y + i * stride, rows);
  });
}

}  // namespace loquent
