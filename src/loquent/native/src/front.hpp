// The convolutions over the features of a sound that stand before the layers of a stack.
#pragma once

#include <vector>

#include "buffer.hpp"
#include "kernels.hpp"
#include "model.hpp"
#include "pool.hpp"

namespace loquent {

// Features of one sound, [frames][features].
struct Sound {
  const float* features = nullptr;
  std::size_t frames = 0;
};

class FrontRunner {
 public:
  FrontRunner(const Stack& stack, const Kernels& kernels, Pool& pool);

  // Makes room for sounds of so many frames.
  void reserve(std::size_t frames);
  // One thread's share of a sound's way to the stack's states, vectors of its padded width. All threads
  // make the same calls.
  void run(const Sound& sound, float* states, unsigned thread);

 private:
  void encode(std::size_t level, const float* x, std::size_t stride, std::size_t frames,
              unsigned thread);
  void multiply(std::size_t level, std::size_t states, float* out);

  const Stack& stack_;
  const FrontSettings& front_;
  const Kernels& kernels_;
  Pool& pool_;
  std::vector<Buffer<float>> levels_;  // what each convolution but the last gives
  std::vector<Buffer<float>> windows_;  // of each thread: the frames that one state sees
  Buffer<std::byte> records_;
};

}  // namespace loquent
