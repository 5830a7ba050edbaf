// Whole texts: the stack reads many of them at once as one flat list, the head tells of each.
#include <algorithm>
#include <stdexcept>
#include <string>

#include "network.hpp"

namespace loquent {

namespace {

constexpr std::size_t kReadTokens = 1024;  // at a time: enough for full tiles, little enough for caches

[[noreturn]] void refuse(std::size_t text, const std::string& what) {
  throw std::invalid_argument("text " + std::to_string(text + 1) + " cannot be read: " + what);
}

}  // namespace

std::size_t Network::values_stride() const {
  return model_.settings.outputs ? model_.head.padded_rows() : model_.top().settings.width;
}

std::size_t Network::values_count(const Texts& texts) const {
  if (model_.settings.pooled) return texts.lengths.size();
  return texts.wanted.empty()
             ? texts.ids.size()
             : std::size_t(std::count(texts.wanted.begin(), texts.wanted.end(), true));
}

void Network::check(const Texts& texts) const {
  if (!model_.settings.reads) throw std::invalid_argument("the network tells nothing of whole texts.");
  const Stack& stack = model_.top();
  std::size_t first = 0;
  for (std::size_t text = 0; text < texts.lengths.size(); ++text) {
    const std::int32_t length = texts.lengths[text];
    if (length < 1) refuse(text, "it has no tokens.");
    if (std::size_t(length) > texts.ids.size() - first) refuse(text, "some of its ids are missing.");
    if (stack.settings.positions == Positions::learned && std::size_t(length) > stack.settings.length)
      refuse(text, "it has " + std::to_string(length) + " tokens, but the network reads " +
                       std::to_string(stack.settings.length) + " at most.");
    for (std::size_t end = first + std::size_t(length); first < end; ++first) {
      const std::int32_t id = texts.ids[first];
      if (id < 0 || std::size_t(id) >= stack.embedding.rows)
        refuse(text, "the id " + std::to_string(id) + " is none of the " +
                         std::to_string(stack.embedding.rows) + " tokens.");
      if (texts.segments.empty()) continue;
      const std::int32_t segment = texts.segments[first];
      if (segment < 0 || std::size_t(segment) >= std::max<std::size_t>(1, stack.settings.segments))
        refuse(text, "there is no segment " + std::to_string(segment) + ".");
    }
  }
  if (first != texts.ids.size()) throw std::invalid_argument("ids are left over.");
}

void Network::read(const Texts& texts, float* values) {
  const std::lock_guard lock(stepping_);
  check(texts);
  StackRunner& runner = decoder_ ? *decoder_ : *encoder_;
  const std::size_t stride = values_stride();
  for (std::size_t text = 0, token = 0; text < texts.lengths.size();) {
    std::size_t end = text, tokens = 0;
    while (end < texts.lengths.size() &&
           (end == text || tokens + std::size_t(texts.lengths[end]) <= kReadTokens))
      tokens += std::size_t(texts.lengths[end++]);
    Texts some;
    some.ids = texts.ids.subspan(token, tokens);
    some.lengths = texts.lengths.subspan(text, end - text);
    if (!texts.segments.empty()) some.segments = texts.segments.subspan(token, tokens);
    if (!texts.wanted.empty()) some.wanted = texts.wanted.subspan(token, tokens);
    read_some(some, runner, values);
    values += values_count(some) * stride;
    text = end, token += tokens;
  }
}

// Each text is a row that is forgotten afterwards.
void Network::read_some(const Texts& texts, StackRunner& runner, float* values) {
  const ModelSettings& s = model_.settings;
  const std::size_t count = texts.lengths.size(), tokens = texts.ids.size();
  if (!whole_rows_ || whole_rows_->count() < count) hold_whole(runner.stack, count);
  source_rows_.clear(), source_positions_.clear(), wanted_.clear();
  std::size_t longest = 0;
  for (std::size_t text = 0; text < count; ++text) {
    const std::size_t length = std::size_t(texts.lengths[text]);
    whole_rows_->clear(text);
    whole_rows_->extend(text, 0, length);
    longest = std::max(longest, length);
    for (std::size_t at = 0; at < length; ++at) {
      source_rows_.push_back(std::int32_t(text));
      source_positions_.push_back(std::int32_t(at));
    }
  }
  for (std::size_t token = 0; token < tokens; ++token)
    if (texts.wanted.empty() || texts.wanted[token]) wanted_.push_back(std::uint32_t(token));
  source_batch_.ids = texts.ids, source_batch_.segments = texts.segments;
  source_batch_.rows = source_rows_, source_batch_.positions = source_positions_;
  source_batch_.arrange(count);
  runner.reserve(tokens, longest);
  const std::size_t vectors = s.pooled ? count : wanted_.size();
  vectors_.reserve(vectors * runner.stride);
  pool_.run([&](unsigned thread) {
    StackWalk walk(runner, source_batch_, *whole_rows_, nullptr, thread);
    walk.run();
    float* x = vectors_.data();
    if (s.pooled)
      walk.pool(s.pooling, x);
    else
      walk.states(wanted_, x);
    if (!vectors) return;
    if (s.head_hidden)
      walk.map(model_.head_hidden, s.head_activation, s.head_norm ? &model_.head_norm : nullptr,
               vectors, x);
    if (s.outputs) {
      walk.encode(x, vectors, s.logit_scale, model_.head.kind);
      const Job jobs[] = {{&model_.head, values, model_.head.padded_rows()}};
      walk.multiply(jobs, vectors, false);
    } else {
      pool_.share(vectors, [&](std::size_t i) {
        std::copy_n(x + i * runner.stride, runner.stack.settings.width,
                    values + i * runner.stack.settings.width);
      });
    }
  });
  for (std::size_t text = 0; text < count; ++text) whole_rows_->clear(text);
}

}  // namespace loquent
