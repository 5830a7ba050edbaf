#include "model.hpp"

#include <cstring>
#include <set>

namespace loquent {

// Takes sections by name and remembers which were taken.
class Binder {
 public:
  explicit Binder(const PackedFile& file) : file_(file) {}

  Matrix matrix(const std::string& name, std::size_t rows, std::size_t columns, bool bias) {
    const Section& section = take(name + ".weight", rows, columns);
    if (section.form == kPlain)
      throw FileError("section '" + name + ".weight' is stored as plain numbers, not as a matrix.");
    Matrix made;
    made.kind = Kind(section.form);
    made.rows = rows;
    made.columns = round_up(columns, kGroup);
    made.data = section.bytes.data();
    if (bias) made.bias = plain(name + ".bias", 1, made.padded_rows());
    return made;
  }

  const float* plain(const std::string& name, std::size_t rows, std::size_t columns) {
    const Section& section = take(name, rows, columns);
    if (section.form != kPlain)
      throw FileError("section '" + name + "' is stored as a matrix, not as plain numbers.");
    return reinterpret_cast<const float*>(section.bytes.data());
  }

  Norm norm(const std::string& name, const StackSettings& s) {
    Norm made;
    made.rms = s.rms;
    made.epsilon = s.norm_epsilon;
    made.width = s.width;
    made.weight = plain(name + ".weight", 1, s.width);
    if (!s.rms && s.norm_bias) made.bias = plain(name + ".bias", 1, s.width);
    return made;
  }

  AttentionWeights attention(const std::string& name, const StackSettings& s,
                             std::size_t memory_width) {
    AttentionWeights made;
    made.query = matrix(name + ".query", s.query_rows(), s.width, s.attention_bias);
    made.key = matrix(name + ".key", s.key_rows(), memory_width, s.attention_bias);
    made.value = matrix(name + ".value", s.key_rows(), memory_width, s.attention_bias);
    made.output = matrix(name + ".output", s.width, s.query_rows(), s.output_bias);
    return made;
  }

  void finish() const {
    for (const auto& [name, section] : file_.sections())
      if (!taken_.contains(name)) throw FileError("section '" + name + "' is left over.");
  }

 private:
  const Section& take(const std::string& name, std::size_t rows, std::size_t columns) {
    const auto found = file_.sections().find(name);
    if (found == file_.sections().end()) throw FileError("section '" + name + "' is missing.");
    const Section& section = found->second;
    if (section.rows != rows || section.columns != columns)
      throw FileError("section '" + name + "' has the shape " + std::to_string(section.rows) +
                      " x " + std::to_string(section.columns) + ", not " + std::to_string(rows) +
                      " x " + std::to_string(columns) + ".");
    taken_.insert(name);
    return section;
  }

  const PackedFile& file_;
  std::set<std::string, std::less<>> taken_;
};

namespace {

Layer bind_layer(Binder& binder, const std::string& name, const StackSettings& s) {
  Layer layer;
  layer.attention_norm = binder.norm(name + "attention_norm", s);
  layer.attention = binder.attention(name + "attention", s, s.width);
  if (s.cross) {
    layer.cross_norm = binder.norm(name + "cross_norm", s);
    layer.cross = binder.attention(name + "cross", s, s.memory_width);
  }
  if (s.feedforward) {
    const std::string part = name + "feedforward.";
    layer.feedforward_norm = binder.norm(name + "feedforward_norm", s);
    if (s.gated) layer.gate = binder.matrix(part + "gate", s.feedforward, s.width, s.feedforward_bias);
    layer.up = binder.matrix(part + "up", s.feedforward, s.width, s.feedforward_bias);
    layer.down = binder.matrix(part + "down", s.width, s.feedforward, s.feedforward_bias);
  }
  return layer;
}

Stack bind_stack(Binder& binder, const std::string& name, const StackSettings& s) {
  Stack stack;
  stack.settings = s;
  std::size_t inputs = s.front.features;
  for (std::size_t level = 0; level < s.front.kernels.size(); ++level, inputs = s.width)
    stack.front.push_back(binder.matrix(name + "front." + std::to_string(level), s.width,
                                        s.front.kernels[level] * inputs, true));
  if (s.positions == Positions::learned)
    stack.positions = binder.plain(name + "positions.weight", s.length, s.width);
  if (s.segments) stack.segments = binder.plain(name + "segments.weight", s.segments, s.width);
  if (s.embedding_norm) stack.embedding_norm = binder.norm(name + "embedding_norm", s);
  if (s.positions == Positions::relative)
    stack.relative = binder.plain(name + "relative.weight", s.relative_bucket_count, s.heads);
  for (std::size_t layer = 0; layer < s.layers; ++layer)
    stack.layers.push_back(bind_layer(binder, name + "layers." + std::to_string(layer) + ".", s));
  if (s.final_norm) stack.final_norm = binder.norm(name + "norm", s);
  return stack;
}

}  // namespace

Model::Model(const PackedFile& file, ModelSettings given) : settings(std::move(given)) {
  Binder binder(file);
  const ModelSettings& s = settings;
  if (s.has_encoder) {
    encoder = bind_stack(binder, "encoder.", s.encoder);
    const std::size_t words = s.source_vocabulary ? s.source_vocabulary : s.vocabulary;
    if (!s.encoder.front.there())
      encoder->embedding = binder.matrix("encoder.embedding", words, s.encoder.width, false);
  }
  if (s.has_decoder) {
    decoder = bind_stack(binder, "decoder.", s.decoder);
    const bool shares = s.shared && s.has_encoder;
    decoder->embedding = shares ? encoder->embedding
                                : binder.matrix("decoder.embedding", s.vocabulary,
                                                s.decoder.width, false);
  }
  if (s.reads || s.has_decoder) bind_head(binder);
  binder.finish();
}

void Model::bind_head(Binder& binder) {
  const ModelSettings& s = settings;
  const StackSettings& stack = top().settings;
  const std::size_t rows = s.reads ? s.outputs : s.vocabulary;
  if (s.head_hidden) head_hidden = binder.matrix("head.hidden", stack.width, stack.width, true);
  if (s.head_norm) head_norm = binder.norm("head.hidden_norm", stack);
  if (!rows) return;
  head = s.tied ? top().embedding : binder.matrix("head", rows, stack.width, false);
  if (s.head_bias) head.bias = binder.plain("head.bias", 1, head.padded_rows());
}

void read_row(const Matrix& m, std::size_t row, float* out) {
  const std::byte* block = m.block(row / kBlockRows);
  const std::size_t r = row % kBlockRows;
  switch (m.kind) {
    case Kind::f32:
      for (std::size_t k = 0; k < m.columns; ++k)
        out[k] = reinterpret_cast<const float*>(block)[k * kBlockRows + r];
      break;
    case Kind::bf16:
      for (std::size_t k = 0; k < m.columns; ++k)
        out[k] = bf16_to_float(
            reinterpret_cast<const std::uint16_t*>(block)[(k / 2 * kBlockRows + r) * 2 + k % 2]);
      break;
    case Kind::int8:
      for (std::size_t k = 0; k < m.columns; ++k)
        out[k] = m.scales()[row] * float(reinterpret_cast<const std::int8_t*>(
                                       block)[(k / 4 * kBlockRows + r) * 4 + k % 4]);
      break;
    case Kind::int4:
      for (std::size_t k = 0; k < m.columns; ++k) {
        const std::byte* group = block + k / kInt4Group * block_bytes(Kind::int4, kInt4Group);
        const Half* scales = reinterpret_cast<const Half*>(group) + r;
        const std::size_t eight = k % kInt4Group / 8;
        const auto byte = std::uint32_t(group[4 * kBlockRows + (eight * kBlockRows + r) * 4 + k % 4]);
        out[k] = float(k % 8 < 4 ? byte & 15u : byte >> 4) * to_float(scales[0]) +
                 to_float(scales[kBlockRows]);
      }
      break;
  }
}

}  // namespace loquent
