// Chains of convolutions: what is checked, where values lie, and how pieces of time are shared by threads.
#include "chain.hpp"

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <thread>

#include "chain_tile.hpp"
#include "isa.hpp"

namespace loquent {

namespace {

constexpr std::size_t kWorkspace = 1 << 18;  // numbers in a tile's buffers: a share of the second cache
constexpr std::size_t kLeast = 192;          // steps of a tile
constexpr std::size_t kWorth = 1 << 26;      // products for which a thread more is begun

void join(Window& window, Window also) {
  if (window.begin == window.end) window = also;
  window.begin = std::min(window.begin, also.begin), window.end = std::max(window.end, also.end);
}

}  // namespace

Chain::Chain(const std::vector<Input>& inputs, const std::string& instruction_set)
    : kernels_(kernels(instruction_set)), inputs_(inputs.size()) {
  if (inputs.empty()) throw std::invalid_argument("a chain needs an input.");
  for (const Input& each : inputs) values_.push_back({each.channels, each.slope});
}

void Chain::check(const Link& link) const {
  const auto known = [&](std::size_t value) { return value < values_.size(); };
  if (!known(link.from) || !std::all_of(link.added.begin(), link.added.end(), known))
    throw std::invalid_argument("a link reads a value that is made later.");
  if (!link.outputs || !link.taps || !link.stretch || link.channels != values_[link.from].channels)
    throw std::invalid_argument("the kernel does not fit the channels.");
  constexpr std::size_t most = std::size_t(1) << 31;
  if (!link.dilation || link.dilation > most || link.before > most || link.after > most || link.stretch > most)
    throw std::invalid_argument("the kernel does not fit the channels.");
  if (!(link.slope >= 0.0f && link.slope <= 1.0f)) throw std::invalid_argument("a slope is from 0 to 1.");
  if (link.added.size() > kMostAdded || (link.stretch > 1 && (!link.added.empty() || link.dilation > 1 || link.tanh)))
    throw std::invalid_argument("a link cannot do all this at once.");
  for (const std::size_t each : link.added)
    if (values_[each].channels != link.outputs) throw std::invalid_argument("what is added is of another shape.");
}

void Chain::add(const Link& link, const float* kernel, const float* bias) {
  check(link);
  const std::size_t number = values_.size(), rows = link.outputs * link.stretch, weights = link.channels * link.taps;
  const std::size_t padded = round_up(rows, kConvolvedRows);
  Packed packed{link, {}, {}};
  packed.kernel.reserve(padded * weights), packed.bias.reserve(padded);
  for (std::size_t row = 0; row < rows; ++row) {
    float* to = packed.kernel.data() + row / kConvolvedRows * kConvolvedRows * weights + row % kConvolvedRows;
    for (std::size_t i = 0; i < weights; ++i) to[i * kConvolvedRows] = kernel[row * weights + i];
    packed.bias.data()[row] = bias ? bias[row / link.stretch] : 0.0f;
  }
  Value& from = values_[link.from];
  (link.bent ? from.last_bent : from.last) = number;
  for (const std::size_t each : link.added) values_[each].last = number;
  links_.push_back(std::move(packed));
  values_.push_back({link.outputs, link.slope});
}

std::vector<std::size_t> Chain::lengths(const std::vector<std::size_t>& of_inputs) const {
  std::vector<std::size_t> made = of_inputs;
  for (const Packed& each : links_) {
    const Link& link = each.link;
    const std::size_t length = made[link.from], reach = link.dilation * (link.taps - 1);
    const bool wider = link.stretch > 1;
    const std::size_t whole = wider ? link.stretch * (length + link.taps - 1) : length + link.before + link.after;
    const std::size_t cut = wider ? link.before + link.after : reach;
    if (!length || whole <= cut) throw std::invalid_argument("the kernel does not fit the channels.");
    made.push_back(whole - cut);
    for (const std::size_t also : link.added)
      if (made[also] != made.back()) throw std::invalid_argument("what is added is of another shape.");
  }
  return made;
}

Chain::Layout Chain::layout(bool bent) const {
  Layout made;
  std::vector<std::pair<std::size_t, std::size_t>> free;  // channels, first row
  const auto place = [&](std::size_t channels) {
    const auto fits = [&](const auto& each) { return each.first == channels; };
    const auto found = std::find_if(free.begin(), free.end(), fits);
    std::size_t row = made.rows;
    if (found == free.end()) return made.rows += channels, row;
    row = found->second;
    free.erase(found);
    return row;
  };
  for (std::size_t number = 0; number < values_.size(); ++number) {
    const Value& value = values_[number];
    const bool result = number + 1 == values_.size(), stretched = number >= inputs_ && links_[number - inputs_].link.stretch > 1;
    const bool wanted_bent = value.last_bent || (result && bent);
    const bool wanted = value.last || (result && !bent) || stretched || (number < inputs_ && wanted_bent);
    made.plain.push_back(wanted ? place(value.channels) : kNone);
    made.bent.push_back(wanted_bent ? place(value.channels) : kNone);
    for (std::size_t other = 0; other < number && number >= inputs_; ++other) {
      const Value& each = values_[other];
      const bool plain_ends = each.last == number || (!each.last && each.last_bent == number);
      if (plain_ends && made.plain[other] != kNone) free.push_back({each.channels, made.plain[other]});
      if (each.last_bent == number) free.push_back({each.channels, made.bent[other]});
    }
  }
  return made;
}

std::vector<Window> Chain::windows(Window result) const {
  std::vector<Window> made(values_.size(), Window{0, 0});
  made.back() = result;
  for (std::size_t i = links_.size(); i-- > 0;) {
    const Link& link = links_[i].link;
    const Window own = made[inputs_ + i];
    if (own.begin == own.end) continue;  // nobody reads it
    join(made[link.from], read_by(link, own));
    for (const std::size_t each : link.added) join(made[each], own);
  }
  return made;
}

std::size_t Chain::products(const std::vector<std::size_t>& lengths) const {
  std::size_t total = 0;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    const Link& link = links_[i].link;
    total += link.channels * link.taps * link.outputs * lengths[inputs_ + i];
  }
  return total;
}

void Chain::run(const std::vector<const float*>& inputs, const std::vector<std::size_t>& lengths, bool bent,
                float* out, unsigned threads) const {
  const std::size_t length = lengths.back();
  const std::size_t workers = std::clamp<std::size_t>(products(lengths) / kWorth, 1, std::max(1u, threads));
  const Layout places = layout(bent);
  const std::size_t most = std::max(kLeast, kWorkspace / places.rows);
  const std::size_t tiles = std::max((length + most - 1) / most, std::min(workers, (length + kLeast - 1) / kLeast));
  const std::size_t steps = round_up((length + tiles - 1) / tiles, kConvolvedUnit);
  std::size_t widest = 0;
  for (const Window each : windows({0, std::ptrdiff_t(steps)})) widest = std::max(widest, each.width());
  // An odd number of cache lines, so that rows do not fall on few sets; and room for what is computed beyond the end.
  const std::size_t stride = round_up(widest + 2 * kConvolvedUnit, 2 * kConvolvedUnit) + kConvolvedUnit;
  std::atomic<std::size_t> next{0};
  const auto work = [&](float* workspace) {
    Tile tile(*this, places, lengths, stride, workspace);
    for (;;) {
      const std::size_t first = steps * next.fetch_add(1, std::memory_order_relaxed);
      if (first >= length) return;
      tile.run(inputs, {std::ptrdiff_t(first), std::ptrdiff_t(std::min(length, first + steps))}, bent, out);
    }
  };
  static thread_local Buffer<float> own;
  own.reserve(places.rows * stride);
  std::vector<Buffer<float>> of_others(std::min(workers, tiles) - 1);
  for (Buffer<float>& each : of_others) each.reserve(places.rows * stride);
  std::vector<std::jthread> others;
  others.reserve(of_others.size());
  for (const Buffer<float>& each : of_others) others.emplace_back(work, each.data());
  work(own.data());
}

}  // namespace loquent
