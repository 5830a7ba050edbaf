#include "network.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "isa.hpp"

namespace loquent {

namespace {

BlockShape shape_of(const StackSettings& s, Kind kind) {
  return {s.layers, s.kv_heads, s.padded_head(), kind == Kind::f32 ? sizeof(float) : sizeof(Half)};
}

BlockShape shape_of(const Stack& stack) {
  return shape_of(stack.settings, stack.layers[0].attention.key.kind);
}

void check_ids(std::span<const std::int32_t> ids, const Stack& stack) {
  for (const std::int32_t id : ids)
    if (id < 0 || std::size_t(id) >= stack.embedding.rows)
      throw std::invalid_argument("the id " + std::to_string(id) + " is none of the " +
                                  std::to_string(stack.embedding.rows) + " tokens.");
}

void check_length(std::size_t length, const Stack& stack) {
  if (stack.settings.positions == Positions::learned && length > stack.settings.length)
    throw std::invalid_argument("position " + std::to_string(length - 1) + " is beyond the last of " +
                                std::to_string(stack.settings.length) + ".");
}

}  // namespace

void Memory::clear(std::size_t row) {
  rows.clear(row);
  if (source) source->clear(row);
}

void Memory::reorder(const std::vector<std::size_t>& targets,
                     const std::vector<std::size_t>& sources) {
  rows.reorder(targets, sources);
  if (source) source->reorder(targets, sources);
}

Network::Network(std::shared_ptr<const PackedFile> file, ModelSettings settings, unsigned threads,
                 const std::string& instruction_set)
    : file_(std::move(file)),
      model_(*file_, std::move(settings)),
      kernels_(loquent::kernels(instruction_set)),
      pool_(threads) {
  const float scale = model_.settings.embedding_scale;
  if (model_.encoder) {
    encoder_.emplace(*model_.encoder, scale, kernels_, pool_);
    if (model_.settings.encoder.front.there()) front_.emplace(*model_.encoder, kernels_, pool_);
    hold_whole(*model_.encoder, 1);
  }
  if (model_.decoder) decoder_.emplace(*model_.decoder, scale, kernels_, pool_);
}

void Network::hold_whole(const Stack& stack, std::size_t texts) {
  BlockShape shape = shape_of(stack);
  shape.layers = 1;  // each layer overwrites what the one before it has kept
  whole_rows_.emplace(shape, texts);
}

std::size_t Network::position_bytes() const {
  return model_.decoder ? shape_of(*model_.decoder).bytes() / kBlockPositions : 0;
}

std::unique_ptr<Memory> Network::new_memory(std::size_t rows) const {
  if (!model_.decoder) throw std::invalid_argument("an encoder alone has no memory.");
  if (model_.settings.reads)
    throw std::invalid_argument("a network that tells of whole texts writes no tokens.");
  const Stack& stack = *model_.decoder;
  auto memory = std::make_unique<Memory>(Memory{Rows(shape_of(stack), rows), std::nullopt});
  if (stack.settings.cross) memory->source.emplace(shape_of(stack), rows);
  return memory;
}

void Network::check(const Memory& memory, const Batch& batch) const {
  check_ids(batch.ids, *model_.decoder);
  for (const Batch::Part& part : batch.parts) {
    const std::size_t first = std::size_t(batch.positions[batch.order[part.first]]);
    if (first > memory.rows.length(part.row))
      throw std::invalid_argument(
          "row " + std::to_string(part.row) + " has " + std::to_string(memory.rows.length(part.row)) +
          " tokens and cannot go on at position " + std::to_string(first) + ".");
    check_length(first + part.count, *model_.decoder);
  }
}

void Network::step(Memory& memory, Batch batch, std::span<const bool> wanted, float* logits) {
  const std::lock_guard lock(stepping_);
  batch.arrange(memory.rows.count());
  check(memory, batch);
  std::size_t length = 0;
  for (const Batch::Part& part : batch.parts) {
    const std::size_t first = std::size_t(batch.positions[batch.order[part.first]]);
    memory.rows.extend(part.row, first, first + part.count);
    length = std::max(length, first + part.count);
  }
  wanted_.clear();
  for (std::size_t token = 0; token < wanted.size(); ++token)
    if (wanted[token]) wanted_.push_back(std::uint32_t(token));
  decoder_->reserve(batch.size(), length);
  const Matrix& head = model_.head;
  pool_.run([&](unsigned thread) {
    StackWalk walk(*decoder_, batch, memory.rows, memory.source ? &*memory.source : nullptr, thread);
    walk.run();
    if (wanted_.empty()) return;
    walk.finish(wanted_, model_.settings.logit_scale, head.kind);
    const Job jobs[] = {{&head, logits, head.padded_rows()}};
    walk.multiply(jobs, wanted_.size(), false);
  });
}

std::size_t Network::states(const Source& source) const {
  return hears() ? model_.encoder->settings.front.states(source.sound.frames) : source.ids.size();
}

// Arranges a source as one row of the encoder, seen whole by each of its tokens.
void Network::read_source(const Source& source) {
  if (!encoder_) throw std::invalid_argument("there is no encoder to read a source.");
  if (hears() != source.ids.empty() || hears() != (source.sound.frames > 0))
    throw std::invalid_argument(hears() ? "the encoder reads the features of a sound."
                                        : "the source has no tokens.");
  check_ids(source.ids, *model_.encoder);
  const std::size_t count = states(source);
  check_length(count, *model_.encoder);
  source_rows_.assign(count, 0);
  source_positions_.resize(count);
  std::iota(source_positions_.begin(), source_positions_.end(), 0);
  source_batch_.ids = source.ids;
  source_batch_.segments = {};
  source_batch_.rows = source_rows_;
  source_batch_.positions = source_positions_;
  source_batch_.arrange(1);
  whole_rows_->clear(0);
  whole_rows_->extend(0, 0, count);
  encoder_->reserve(count, count);
  if (hears()) front_->reserve(source.sound.frames);
}

// Brings a sound to the states that the encoder's layers read.
void Network::enter(const Source& source, unsigned thread) {
  if (hears()) front_->run(source.sound, encoder_->x.data(), thread);
}

void Network::encode(const Source& source, float* out) {
  const std::lock_guard lock(stepping_);
  read_source(source);
  pool_.run([&](unsigned thread) {
    enter(source, thread);
    StackWalk walk(*encoder_, source_batch_, *whole_rows_, nullptr, thread);
    walk.run();
    walk.finish(out);
  });
}

std::size_t Network::source_states(const Memory& memory, std::size_t row) const {
  return memory.source ? memory.source->length(row) : 0;
}

void Network::align(Memory& memory, std::size_t row, std::span<const std::int32_t> ids,
                    std::span<const Watch::Head> heads, float* out) {
  const std::lock_guard lock(stepping_);
  if (!source_states(memory, row)) throw std::invalid_argument("the row has no source.");
  const StackSettings& s = model_.decoder->settings;
  for (const Watch::Head& each : heads)
    if (each.layer >= s.layers || each.head >= s.heads)
      throw std::invalid_argument("there is no head " + std::to_string(each.head) + " in layer " +
                                  std::to_string(each.layer) + ".");
  Batch batch;
  const std::vector<std::int32_t> rows(ids.size(), std::int32_t(row));
  std::vector<std::int32_t> positions(ids.size());
  std::iota(positions.begin(), positions.end(), 0);
  batch.ids = ids, batch.rows = rows, batch.positions = positions;
  batch.arrange(memory.rows.count());
  check(memory, batch);
  memory.rows.extend(row, 0, ids.size());
  decoder_->reserve(ids.size(), ids.size());
  const Watch watch{heads, source_states(memory, row), out};
  pool_.run([&](unsigned thread) {
    StackWalk(*decoder_, batch, memory.rows, &*memory.source, thread, &watch).run();
  });
}

void Network::attach(Memory& memory, std::size_t row, const Source& given) {
  const std::lock_guard lock(stepping_);
  if (!memory.source) throw std::invalid_argument("the decoder attends to no source.");
  if (row >= memory.rows.count()) throw std::invalid_argument("there is no such row.");
  read_source(given);
  Rows& source = *memory.source;
  const std::size_t count = states(given);
  source.clear(row);
  source.extend(row, 0, count);
  const StackSettings& s = model_.decoder->settings;
  const std::size_t stride = round_up(s.key_rows(), kGroup), pieces = source_batch_.pieces.size();
  source_keys_.reserve(count * stride);
  source_values_.reserve(count * stride);
  pool_.run([&](unsigned thread) {
    enter(given, thread);
    StackWalk walk(*encoder_, source_batch_, *whole_rows_, nullptr, thread);
    walk.run();
    std::vector<std::uint32_t> all(source_batch_.order);
    walk.finish(all, 1.0f, model_.decoder->layers[0].cross.key.kind);
    for (std::size_t index = 0; index < s.layers; ++index) {
      const AttentionWeights& w = model_.decoder->layers[index].cross;
      const Job jobs[] = {{&w.key, source_keys_.data(), stride},
                          {&w.value, source_values_.data(), stride}};
      walk.multiply(jobs, count, false);
      pool_.share(pieces, [&](std::size_t item) {
        const Batch::Piece& piece = source_batch_.pieces[item];
        for (std::size_t i = piece.first; i < piece.first + piece.count; ++i)
          for (std::size_t head = 0; head < s.kv_heads; ++head) {
            const std::size_t at = i * stride + head * s.padded_head();
            put_head(kernels_, source.store().shape(), source.block(row, i / kBlockPositions),
                     i % kBlockPositions, index, head, source_keys_.data() + at,
                     source_values_.data() + at);
          }
      });
    }
  });
}

}  // namespace loquent
