// One stack at work: the buffers of a step, and the walk of each thread through its phases.
#pragma once

#include <span>
#include <vector>

#include "batch.hpp"
#include "buffer.hpp"
#include "kernels.hpp"
#include "memory.hpp"
#include "model.hpp"
#include "pool.hpp"
#include "positions.hpp"

namespace loquent {

// A matrix to multiply all encoded tokens with, and where the products go.
struct Job {
  const Matrix* matrix;
  float* out;
  std::size_t stride;
};

// What a step writes down of its heads' attention to the source: [heads][tokens][length].
struct Watch {
  struct Head {
    std::size_t layer, head;
  };
  std::span<const Head> heads;
  std::size_t length;  // states of the source
  float* out;
};

class StackRunner {
 public:
  StackRunner(const Stack& stack, float embedding_scale, const Kernels& kernels, Pool& pool);

  // Makes room for a step of `tokens` tokens with positions below `length`; `records` may be more
  // where other vectors than this stack's are multiplied. No step allocates.
  void reserve(std::size_t tokens, std::size_t length);

  const Stack& stack;
  const float embedding_scale;
  const Kernels& kernels;
  Pool& pool;

  // Every vector is padded to `stride` floats, and what stands behind its end is zero.
  const std::size_t stride, query_stride, key_stride, inner_stride, record_bytes;
  Buffer<float> x, query, key, value, gathered, inner;
  Buffer<std::byte> records;                // of the vectors that the next products read
  std::vector<Buffer<std::byte>> record;    // of each thread: that of a single vector
  std::vector<Buffer<float>> scratch;       // of each thread: a vector, zero behind its end too
  std::vector<Buffer<float>> strip;         // of each thread: a strip of products
  PositionTables tables;
};

// One thread's walk through a step. All threads make the same calls in the same order.
class StackWalk {
 public:
  StackWalk(StackRunner& runner, const Batch& batch, Rows& memory, const Rows* source,
            unsigned thread, const Watch* watch = nullptr);

  // From ids, or from a front's states in the runner's vectors, to the last layer's output; keys and
  // values go into the memory.
  void run();
  // Norms the output of these tokens and encodes it, times `factor`, for products of `kind`.
  void finish(std::span<const std::uint32_t> tokens, float factor, Kind kind);
  // The same for all tokens, as vectors of `width` floats.
  void finish(float* out);
  // What the last layer gives for these tokens, and what becomes one of each text's states: vectors of
  // the runner's stride.
  void states(std::span<const std::uint32_t> tokens, float* out);
  void pool(Pooling how, float* out);
  // Each vector times a matrix of as many rows, with an activation and perhaps a norm behind it.
  void map(const Matrix& matrix, Activation activation, const Norm* norm, std::size_t count,
           float* vectors);
  // Encodes vectors of the runner's stride, times `factor`, for products of `kind`.
  void encode(const float* vectors, std::size_t count, float factor, Kind kind);
  // Multiplies the encoded tokens; `add` to what is there.
  void multiply(std::span<const Job> jobs, std::size_t tokens, bool add);

 private:
  void embed();
  void attention(const Layer& layer, std::size_t index);
  void cross(const Layer& layer, std::size_t index);
  void feedforward(const Layer& layer);
  void encode(const Norm& norm, Kind kind);
  void encode(const float* vectors, std::size_t stride, std::size_t columns, Kind kind);
  template <class Encode>
  void encode_each(std::size_t record_bytes, Encode encode);
  void attend(std::size_t index);
  void attend_source(std::size_t index);
  void observe(std::size_t index);
  void remember(std::size_t index, const Batch::Piece& piece, std::size_t head);
  void gather(const Rows& rows, std::size_t index, bool own, const Batch::Piece& piece,
              std::size_t head);
  void gated(const Layer& layer);
  void activated(const Layer& layer);
  float* settled(std::size_t token);
  const float* state(std::size_t token);

  StackRunner& r_;
  const StackSettings& s_;
  const Batch& batch_;
  Rows& memory_;
  const Rows* const source_;
  const unsigned thread_;
  const Watch* const watch_;
  const std::byte* records_ = nullptr;  // what the next products read
  const Norm* pending_ = nullptr;  // a norm behind the last branch that nobody has applied yet
};

// What the table offers for keys and values of the shape's numbers.
const Kernels::Memory& memory_kernels(const Kernels& kernels, const BlockShape& shape);

// Puts the key and the value of one position and one head into a block.
void put_head(const Kernels& kernels, const BlockShape& shape, std::byte* block, std::size_t slot,
              std::size_t layer, std::size_t head, const float* key, const float* value);

}  // namespace loquent
