// A packed model, opened and ready to step.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "front.hpp"
#include "model.hpp"
#include "runner.hpp"

namespace loquent {

// What a network remembers: the decoder's own keys and values, and those of what the encoder read.
struct Memory {
  Rows rows;
  std::optional<Rows> source;

  void clear(std::size_t row);
  void reorder(const std::vector<std::size_t>& targets, const std::vector<std::size_t>& sources);
};

class Network {
 public:
  // Throws FileError for a file that does not hold what the settings need, and
  // std::invalid_argument for an instruction set that this machine does not have.
  Network(std::shared_ptr<const PackedFile> file, ModelSettings settings, unsigned threads,
          const std::string& instruction_set);

  const Model& model() const { return model_; }
  const char* instruction_set() const { return kernels_.name; }
  unsigned threads() const { return pool_.threads(); }
  std::size_t logits_stride() const { return model_.head.padded_rows(); }
  std::size_t position_bytes() const;  // of the keys and values of one token in the decoder's rows

  std::unique_ptr<Memory> new_memory(std::size_t rows) const;

  // Reads the tokens into the memory and writes a row of `logits_stride()` logits for each wanted
  // token. Throws std::invalid_argument for ids, rows or positions that are out of range; the memory
  // is then as before.
  void step(Memory& memory, Batch batch, std::span<const bool> wanted, float* logits);

  // What an encoder reads: ids, or a sound where it has a front.
  struct Source {
    std::span<const std::int32_t> ids;
    Sound sound;
  };
  // Encodes a source for a row of the decoder's memory.
  void attach(Memory& memory, std::size_t row, const Source& source);

  // Reads ids from the start of a row, and writes how much some heads look at each state of its source,
  // [heads][ids][states]: of each id the sum is one.
  void align(Memory& memory, std::size_t row, std::span<const std::int32_t> ids,
             std::span<const Watch::Head> heads, float* out);
  // How many states the source of a row has.
  std::size_t source_states(const Memory& memory, std::size_t row) const;

  // What a network tells of whole texts, which stand one behind the other in `ids`, or of sounds.
  struct Texts {
    std::span<const std::int32_t> ids, lengths;  // tokens of each text, or frames of each sound
    std::span<const std::int32_t> segments;      // of each token, or none
    std::span<const bool> wanted;                // which tokens to tell of, where it is not of texts
    std::span<const float> features;             // of each frame, where they are sounds
  };
  std::size_t values_stride() const;
  std::size_t values_count(const Texts& texts) const;
  // Writes `values_stride()` values for each text or each wanted token, some texts at a time. Throws
  // std::invalid_argument for what cannot be read.
  void read(const Texts& texts, float* values);

  // The encoder's output, a vector of its width for each of `states(source)` tokens.
  void encode(const Source& source, float* out);
  std::size_t states(const Source& source) const;

 private:
  void check(const Memory& memory, const Batch& batch) const;
  void check(const Texts& texts) const;
  void hold_whole(const Stack& stack, std::size_t texts);
  bool hears() const { return front_.has_value(); }
  std::size_t tokens_of(std::int32_t length) const;
  void read_source(const Source& source);
  void enter(const Source& source, unsigned thread);
  void read_some(const Texts& texts, StackRunner& runner, float* values);

  const std::shared_ptr<const PackedFile> file_;
  const Model model_;
  const Kernels& kernels_;
  std::mutex stepping_;  // one step at a time: they share the buffers
  Pool pool_;
  std::optional<StackRunner> encoder_, decoder_;
  std::optional<FrontRunner> front_;  // of the encoder
  std::optional<Rows> whole_rows_;  // of texts that are read whole: for one layer at a time
  Batch source_batch_;
  std::vector<std::int32_t> source_rows_, source_positions_;
  std::vector<std::uint32_t> wanted_;
  Buffer<float> source_keys_, source_values_;  // of one layer
  Buffer<float> vectors_;                      // of each text or wanted token, before the head
};

}  // namespace loquent
