// Whole texts: the stack reads many of them at once as one flat list, the head tells of each.
#include <algorithm>
#include <numeric>
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

// How many tokens a text of this length has, or states a sound of so many frames.
std::size_t Network::tokens_of(std::int32_t length) const {
  if (length < 1) return 0;
  return hears() ? model_.encoder->settings.front.states(std::size_t(length)) : std::size_t(length);
}

std::size_t Network::values_count(const Texts& texts) const {
  if (model_.settings.pooled) return texts.lengths.size();
  return texts.wanted.empty()
             ? std::accumulate(texts.lengths.begin(), texts.lengths.end(), std::size_t(0),
                               [this](std::size_t sum, std::int32_t length) {
                                 return sum + tokens_of(length);
                               })
             : std::size_t(std::count(texts.wanted.begin(), texts.wanted.end(), true));
}

void Network::check(const Texts& texts) const {
  if (!model_.settings.reads) throw std::invalid_argument("the network tells nothing of whole texts.");
  const Stack& stack = model_.top();
  const std::size_t width = hears() ? stack.settings.front.features : 1;
  const std::size_t given = hears() ? texts.features.size() : texts.ids.size();
  std::size_t first = 0;
  for (std::size_t text = 0; text < texts.lengths.size(); ++text) {
    const std::int32_t length = texts.lengths[text];
    if (length < 1) refuse(text, "it has no tokens.");
    if (std::size_t(length) > given / width - first) refuse(text, "some of its ids are missing.");
    if (stack.settings.positions == Positions::learned && tokens_of(length) > stack.settings.length)
      refuse(text, "it has " + std::to_string(tokens_of(length)) +
                       " tokens, but the network reads " + std::to_string(stack.settings.length) +
                       " at most.");
    if (hears()) {
      first += std::size_t(length);
      continue;
    }
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
  if (first * width != given) throw std::invalid_argument("ids are left over.");
}

void Network::read(const Texts& texts, float* values) {
  const std::lock_guard lock(stepping_);
  check(texts);
  StackRunner& runner = decoder_ ? *decoder_ : *encoder_;
  const std::size_t stride = values_stride();
  for (std::size_t text = 0, token = 0, frame = 0; text < texts.lengths.size();) {
    std::size_t end = text, tokens = 0, frames = 0;
    while (end < texts.lengths.size() &&
           (end == text || tokens + tokens_of(texts.lengths[end]) <= kReadTokens)) {
      frames += std::size_t(texts.lengths[end]);
      tokens += tokens_of(texts.lengths[end++]);
    }
    Texts some;
    some.lengths = texts.lengths.subspan(text, end - text);
    if (hears()) {
      const std::size_t width = model_.encoder->settings.front.features;
      some.features = texts.features.subspan(frame * width, frames * width);
    } else {
      some.ids = texts.ids.subspan(token, tokens);
    }
    if (!texts.segments.empty()) some.segments = texts.segments.subspan(token, tokens);
    if (!texts.wanted.empty()) some.wanted = texts.wanted.subspan(token, tokens);
    read_some(some, runner, values);
    values += values_count(some) * stride;
    text = end, token += tokens, frame += frames;
  }
}

// Each text is a row that is forgotten afterwards.
void Network::read_some(const Texts& texts, StackRunner& runner, float* values) {
  const ModelSettings& s = model_.settings;
  const std::size_t count = texts.lengths.size();
  if (!whole_rows_ || whole_rows_->count() < count) hold_whole(runner.stack, count);
  source_rows_.clear(), source_positions_.clear(), wanted_.clear();
  std::size_t longest = 0;
  for (std::size_t text = 0; text < count; ++text) {
    const std::size_t length = tokens_of(texts.lengths[text]);
    if (hears()) front_->reserve(std::size_t(texts.lengths[text]));
    whole_rows_->clear(text);
    whole_rows_->extend(text, 0, length);
    longest = std::max(longest, length);
    for (std::size_t at = 0; at < length; ++at) {
      source_rows_.push_back(std::int32_t(text));
      source_positions_.push_back(std::int32_t(at));
    }
  }
  const std::size_t tokens = source_rows_.size();
  for (std::size_t token = 0; token < tokens; ++token)
    if (texts.wanted.empty() || texts.wanted[token]) wanted_.push_back(std::uint32_t(token));
  source_batch_.ids = texts.ids, source_batch_.segments = texts.segments;
  source_batch_.rows = source_rows_, source_batch_.positions = source_positions_;
  source_batch_.arrange(count);
  runner.reserve(tokens, longest);
  const std::size_t vectors = s.pooled ? count : wanted_.size();
  vectors_.reserve(vectors * runner.stride);
  pool_.run([&](unsigned thread) {
    Sound sound{texts.features.data(), 0};
    float* states = runner.x.data();
    for (std::size_t text = 0; hears() && text < count; ++text) {
      sound.frames = std::size_t(texts.lengths[text]);
      front_->run(sound, states, thread);
      sound.features += sound.frames * runner.stack.settings.front.features;
      states += tokens_of(texts.lengths[text]) * runner.stride;
    }
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
