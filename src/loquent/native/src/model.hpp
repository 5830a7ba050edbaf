// A network bound to the sections of its packed file: what to multiply with what.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels.hpp"
#include "packed_file.hpp"

namespace loquent {

enum class Positions : std::uint32_t {
  none, learned, sinusoidal, sinusoidal_halves, rotary, relative
};

// Convolutions over a sound (FrontConfig); none where there are no kernels.
struct FrontSettings {
  std::size_t features = 0;
  std::vector<std::size_t> kernels, strides;
  Activation activation = Activation::gelu;

  bool there() const { return !kernels.empty(); }
  // How many vectors a convolution makes of so many.
  std::size_t states(std::size_t level, std::size_t frames) const {
    return (frames - 1) / strides[level] + 1;
  }
  std::size_t states(std::size_t frames) const {
    for (std::size_t level = 0; level < kernels.size(); ++level) frames = states(level, frames);
    return frames;
  }
};

// One stack as architecture/stack.py describes it (StackConfig), with defaults filled in.
struct StackSettings {
  std::size_t layers = 0, width = 0, length = 0;
  std::size_t heads = 0, kv_heads = 0, head_width = 0;
  std::size_t feedforward = 0, memory_width = 0, segments = 0;
  bool causal = true, cross = false, gated = false;
  bool attention_bias = false, output_bias = false, feedforward_bias = false;
  bool rms = false, norm_bias = false, norm_first = true;
  bool embedding_norm = false, final_norm = true;
  Activation activation = Activation::gelu;
  Positions positions = Positions::none;
  float norm_epsilon = 1e-5f, attention_scale = 1.0f;
  double rotary_magnitude = 1.0;
  std::vector<double> rotary_frequencies;      // radians per position of each rotated pair
  std::vector<std::uint32_t> relative_buckets;  // of the offsets -distance … distance
  std::size_t relative_bucket_count = 0;
  FrontSettings front;

  std::size_t padded_head() const { return round_up(head_width, kHeadMultiple); }
  std::size_t query_rows() const { return heads * padded_head(); }
  std::size_t key_rows() const { return kv_heads * padded_head(); }
};

// How the states of a text become one.
enum class Pooling : std::uint32_t { first, last, mean, max };

struct ModelSettings {
  std::size_t vocabulary = 0, source_vocabulary = 0;
  bool has_encoder = false, has_decoder = false;
  StackSettings encoder, decoder;
  bool tied = true, shared = true, head_bias = false;
  float embedding_scale = 1.0f, logit_scale = 1.0f;

  bool reads = false;        // tells of whole texts instead of writing tokens: one stack and a head
  bool pooled = false;       // of each text, not of each token
  Pooling pooling = Pooling::mean;
  std::size_t outputs = 0;   // values that the head gives; 0: the states themselves
  bool head_hidden = false;  // a map with an activation stands before the head, and maybe a norm
  bool head_norm = false;
  Activation head_activation = Activation::tanh;
};

struct AttentionWeights {
  Matrix query, key, value, output;
};

struct Layer {
  Norm attention_norm, cross_norm, feedforward_norm;
  AttentionWeights attention, cross;
  Matrix gate, up, down;
};

struct Stack {
  StackSettings settings;
  Matrix embedding;               // or
  std::vector<Matrix> front;      // columns: [kernel][inputs]
  const float* positions = nullptr;  // learned, [length][width]
  const float* segments = nullptr;   // [segments][width]
  const float* relative = nullptr;   // [buckets][heads]
  Norm embedding_norm, final_norm;
  std::vector<Layer> layers;
};

class Binder;

class Model {
 public:
  // Throws FileError where a section is missing, left over or not what the settings need.
  Model(const PackedFile& file, ModelSettings settings);

  const ModelSettings settings;
  std::optional<Stack> encoder, decoder;
  Matrix head, head_hidden;
  Norm head_norm;
  const Stack& top() const { return settings.has_decoder ? *decoder : *encoder; }
  float embedding_scale() const { return settings.embedding_scale; }

 private:
  void bind_head(Binder& binder);
};

// Row `row` of a matrix as floats, `columns` (padded) of them.
void read_row(const Matrix& matrix, std::size_t row, float* out);

}  // namespace loquent
