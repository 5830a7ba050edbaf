// A small random decoder, an encoder with a head, or both over a sound, written as a packed file.
#pragma once

#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "model.hpp"
#include "packed_file.hpp"
#include "quantize.hpp"

namespace loquent {

inline ModelSettings small_settings() {
  ModelSettings m;
  m.vocabulary = 70;
  m.has_decoder = true;
  StackSettings& s = m.decoder;
  s.layers = 2, s.width = 40, s.length = 100, s.heads = 4, s.kv_heads = 2, s.head_width = 10;
  s.feedforward = 90, s.memory_width = 40, s.gated = true, s.rms = true;
  s.attention_scale = 0.3f, s.activation = Activation::silu, s.positions = Positions::rotary;
  s.rotary_frequencies = {1.0, 0.3, 0.1, 0.03, 0.01};
  return m;
}

// Tells of each token of the vocabulary, or with `pooled` of three classes of whole texts.
inline ModelSettings small_reader(bool pooled) {
  ModelSettings m = small_settings();
  std::swap(m.encoder, m.decoder);
  m.has_decoder = false, m.has_encoder = true, m.reads = true, m.pooled = pooled;
  m.outputs = pooled ? 3 : 70, m.tied = !pooled, m.head_bias = pooled;
  m.head_hidden = m.head_norm = true, m.head_activation = Activation::gelu;
  StackSettings& s = m.encoder;
  s.causal = false, s.positions = Positions::learned, s.segments = 2, s.norm_first = false;
  return m;
}

// Hears a sound of 5 features a frame: tells of each of its states, or writes.
inline ModelSettings small_hearer(bool writes) {
  ModelSettings m = writes ? small_settings() : small_reader(false);
  if (writes) {
    m.encoder = small_reader(false).encoder, m.has_encoder = true, m.shared = false;
    m.decoder.cross = true;
  }
  m.tied = writes;
  m.encoder.segments = 0;
  m.encoder.front.features = 5, m.encoder.front.kernels = {3, 5}, m.encoder.front.strides = {1, 2};
  return m;
}

class SmallModel {
 public:
  SmallModel(Kind kind, const ModelSettings& m) : kind_(kind), pool_(1) {
    if (m.has_encoder) stack("encoder.", m.encoder);
    if (m.has_decoder) stack("decoder.", m.decoder);
    const StackSettings& s = m.has_decoder ? m.decoder : m.encoder;
    if (m.head_hidden) matrix("head.hidden.weight", s.width, s.width), padded("head.hidden.bias", s.width);
    if (m.head_norm) plain("head.hidden_norm.weight", s.width);
    if (m.reads && !m.tied) matrix("head.weight", m.outputs, s.width);
    if (m.head_bias) padded("head.bias", m.outputs);
  }

  void write(const std::string& path) const {
    std::size_t directory_bytes = 0;
    for (const Part& part : parts_) directory_bytes += 48 + part.name.size();
    std::string body(64 + directory_bytes, '\0'), directory;
    for (const Part& part : parts_) {
      body.resize(round_up(body.size(), 64));
      const std::uint32_t words[] = {std::uint32_t(part.name.size()), part.form};
      const std::uint64_t numbers[] = {part.rows, part.columns, body.size(), part.bytes.size(),
                                       checksum(part.bytes)};
      directory.append(reinterpret_cast<const char*>(words), sizeof words);
      directory.append(reinterpret_cast<const char*>(numbers), sizeof numbers);
      directory += part.name;
      body.append(reinterpret_cast<const char*>(part.bytes.data()), part.bytes.size());
    }
    std::memcpy(body.data() + 64, directory.data(), directory.size());
    const std::uint32_t words[] = {kLayoutVersion, std::uint32_t(parts_.size())};
    const std::uint64_t numbers[] = {
        0, directory.size(),
        checksum({reinterpret_cast<const std::byte*>(directory.data()), directory.size()})};
    std::memcpy(body.data(), "LOQUENT", 8);
    std::memcpy(body.data() + 8, words, sizeof words);
    std::memcpy(body.data() + 16, numbers, sizeof numbers);
    std::ofstream(path, std::ios::binary).write(body.data(), std::streamsize(body.size()));
  }

 private:
  struct Part {
    std::string name;
    std::uint32_t form;
    std::size_t rows, columns;
    std::vector<std::byte> bytes;
  };

  void stack(const std::string& stack, const StackSettings& s) {
    std::size_t inputs = s.front.features;
    for (std::size_t level = 0; level < s.front.kernels.size(); ++level, inputs = s.width) {
      const std::string name = stack + "front." + std::to_string(level);
      matrix(name + ".weight", s.width, s.front.kernels[level] * inputs);
      padded(name + ".bias", s.width);
    }
    if (!s.front.there()) matrix(stack + "embedding.weight", 70, s.width);
    if (s.positions == Positions::learned) plain(stack + "positions.weight", s.width, s.length);
    if (s.segments) plain(stack + "segments.weight", s.width, s.segments);
    plain(stack + "norm.weight", s.width);
    for (std::size_t layer = 0; layer < s.layers; ++layer) {
      const std::string name = stack + "layers." + std::to_string(layer) + ".";
      plain(name + "attention_norm.weight", s.width);
      matrix(name + "attention.query.weight", s.query_rows(), s.width);
      matrix(name + "attention.key.weight", s.key_rows(), s.width);
      matrix(name + "attention.value.weight", s.key_rows(), s.width);
      matrix(name + "attention.output.weight", s.width, s.query_rows());
      if (s.cross) {
        plain(name + "cross_norm.weight", s.width);
        matrix(name + "cross.query.weight", s.query_rows(), s.width);
        matrix(name + "cross.key.weight", s.key_rows(), s.memory_width);
        matrix(name + "cross.value.weight", s.key_rows(), s.memory_width);
        matrix(name + "cross.output.weight", s.width, s.query_rows());
      }
      plain(name + "feedforward_norm.weight", s.width);
      matrix(name + "feedforward.gate.weight", s.feedforward, s.width);
      matrix(name + "feedforward.up.weight", s.feedforward, s.width);
      matrix(name + "feedforward.down.weight", s.width, s.feedforward);
    }
  }

  std::vector<float> numbers(std::size_t count, float middle, float spread) {
    std::normal_distribution<float> normal(middle, spread);
    std::vector<float> made(count);
    for (float& each : made) each = normal(random_);
    return made;
  }
  void matrix(const std::string& name, std::size_t rows, std::size_t columns) {
    const std::vector<float> values = numbers(rows * columns, 0.0f, 0.2f);
    std::vector<std::byte> bytes(matrix_bytes(kind_, rows, columns));
    pack_matrix(values.data(), rows, columns, kind_, bytes.data(), pool_);
    parts_.push_back({name, std::uint32_t(kind_), rows, columns, std::move(bytes)});
  }
  void plain(const std::string& name, std::size_t columns, std::size_t rows = 1) {
    add(name, rows, columns, numbers(rows * columns, 1.0f, 0.1f));
  }
  void padded(const std::string& name, std::size_t rows) {  // zeros behind the last row, as packing has it
    std::vector<float> values = numbers(rows, 1.0f, 0.1f);
    values.resize(round_up(rows, kBlockRows));
    add(name, 1, values.size(), values);
  }
  void add(const std::string& name, std::size_t rows, std::size_t columns, const std::vector<float>& values) {
    std::vector<std::byte> bytes(values.size() * sizeof(float));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    parts_.push_back({name, kPlain, rows, columns, std::move(bytes)});
  }

  const Kind kind_;
  Pool pool_;
  std::mt19937 random_{7};
  std::vector<Part> parts_;
};

}  // namespace loquent
