// A small random decoder, written as a packed file.
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

class SmallModel {
 public:
  explicit SmallModel(Kind kind) : kind_(kind), pool_(1) {
    const StackSettings s = small_settings().decoder;
    matrix("decoder.embedding.weight", 70, s.width);
    plain("decoder.norm.weight", s.width);
    for (std::size_t layer = 0; layer < s.layers; ++layer) {
      const std::string name = "decoder.layers." + std::to_string(layer) + ".";
      plain(name + "attention_norm.weight", s.width);
      matrix(name + "attention.query.weight", s.query_rows(), s.width);
      matrix(name + "attention.key.weight", s.key_rows(), s.width);
      matrix(name + "attention.value.weight", s.key_rows(), s.width);
      matrix(name + "attention.output.weight", s.width, s.query_rows());
      plain(name + "feedforward_norm.weight", s.width);
      matrix(name + "feedforward.gate.weight", s.feedforward, s.width);
      matrix(name + "feedforward.up.weight", s.feedforward, s.width);
      matrix(name + "feedforward.down.weight", s.width, s.feedforward);
    }
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
  void plain(const std::string& name, std::size_t columns) {
    const std::vector<float> values = numbers(columns, 1.0f, 0.1f);
    std::vector<std::byte> bytes(columns * sizeof(float));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    parts_.push_back({name, kPlain, 1, columns, std::move(bytes)});
  }

  const Kind kind_;
  Pool pool_;
  std::mt19937 random_{7};
  std::vector<Part> parts_;
};

}  // namespace loquent
