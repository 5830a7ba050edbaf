#include "chain.hpp"

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <thread>

#include "isa.hpp"

namespace loquent {

namespace {

constexpr std::size_t kWorkspace = 1 << 18;  // numbers in a tile's buffers: a share of the second cache
constexpr std::size_t kLeast = 192;          // steps of a tile
constexpr std::size_t kWorth = 1 << 26;      // products for which a thread more is begun
constexpr std::size_t kNone = ~std::size_t(0);

std::ptrdiff_t floor_divide(std::ptrdiff_t a, std::ptrdiff_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

void join(Window& window, Window also) {
  if (window.begin == window.end) window = also;
  window.begin = std::min(window.begin, also.begin), window.end = std::max(window.end, also.end);
}

// What a link reads for a part of its result. Of a stretched one: steps of the value that lie `taps` - 1 before.
Window read_by(const Link& link, Window made) {
  const std::ptrdiff_t before = std::ptrdiff_t(link.before), stretch = std::ptrdiff_t(link.stretch);
  if (stretch == 1)
    return {made.begin - before, made.end - before + std::ptrdiff_t(link.dilation * (link.taps - 1))};
  return {floor_divide(made.begin + before, stretch) - std::ptrdiff_t(link.taps - 1),
          floor_divide(made.end - 1 + before, stretch) + 1};
}

}  // namespace

// Where the two forms of each value lie: the first of so many rows, or kNone.
struct Chain::Layout {
  std::vector<std::size_t> plain, bent;
  std::size_t rows = 0;
};

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

// A part of the result, and of all values what is needed for it.
class Chain::Tile {
 public:
  Tile(const Chain& chain, const Layout& layout, const std::vector<std::size_t>& lengths, std::size_t stride,
       float* workspace)
      : chain_(chain), layout_(layout), lengths_(lengths), stride_(stride), workspace_(workspace) {}

  void run(const std::vector<const float*>& inputs, Window result, bool bent, float* out) {
    windows_ = chain_.windows(result);
    for (std::size_t i = 0; i < inputs.size(); ++i) take(i, inputs[i]);
    for (std::size_t i = 0; i < chain_.links_.size(); ++i) {
      const std::size_t number = inputs.size() + i;
      if (!windows_[number].width()) continue;
      const Packed& packed = chain_.links_[i];
      packed.link.stretch > 1 ? stretch(packed, number) : convolve(packed, number);
      if (packed.link.tanh) each_row(plain(number), number, [&](float* row) {
        chain_.kernels_.activate[std::size_t(Activation::tanh)](row, round_up(windows_[number].width(), kConvolvedUnit));
      });
      end(plain(number), number), end(this->bent(number), number);
    }
    const std::size_t last = windows_.size() - 1, length = lengths_[last];
    const float* from = bent ? this->bent(last) : plain(last);
    for (std::size_t row = 0; row < chain_.values_[last].channels; ++row)
      std::copy_n(from + row * stride_, result.width(), out + row * length + result.begin);
  }

 private:
  float* at(std::size_t row) const { return row == kNone ? nullptr : workspace_ + row * stride_; }
  float* plain(std::size_t number) const { return at(layout_.plain[number]); }
  float* bent(std::size_t number) const { return at(layout_.bent[number]); }

  template <class Work>
  void each_row(float* first, std::size_t number, Work work) const {
    for (std::size_t row = 0; first && row < chain_.values_[number].channels; ++row) work(first + row * stride_);
  }

  // Zeros where the value has not begun or has ended.
  void end(float* first, std::size_t number) const {
    const Window w = windows_[number];
    const std::ptrdiff_t length = std::ptrdiff_t(lengths_[number]), width = w.end - w.begin;
    const std::ptrdiff_t start = std::clamp<std::ptrdiff_t>(-w.begin, 0, width);
    const std::ptrdiff_t stop = std::clamp<std::ptrdiff_t>(length - w.begin, 0, width);
    if (start == 0 && stop == width) return;
    each_row(first, number, [&](float* row) {
      std::fill(row, row + start, 0.0f), std::fill(row + stop, row + width, 0.0f);
    });
  }

  void take(std::size_t number, const float* x) const {
    const Window w = windows_[number];
    const std::size_t length = lengths_[number];
    const std::ptrdiff_t begin = std::clamp<std::ptrdiff_t>(w.begin, 0, std::ptrdiff_t(length));
    const std::ptrdiff_t stop = std::clamp<std::ptrdiff_t>(w.end, begin, std::ptrdiff_t(length));
    if (!plain(number)) return;
    for (std::size_t row = 0; row < chain_.values_[number].channels; ++row) {
      const float* from = x + row * length;
      std::copy(from + begin, from + stop, plain(number) + row * stride_ + (begin - w.begin));
    }
    end(plain(number), number);
    bend(number);
  }

  void bend(std::size_t number) const {
    if (!bent(number)) return;
    const std::size_t count = round_up(windows_[number].width(), kConvolvedUnit);
    const Value& value = chain_.values_[number];
    for (std::size_t row = 0; row < value.channels; ++row)
      chain_.kernels_.bend(plain(number) + row * stride_, value.slope, bent(number) + row * stride_, count);
  }

  Convolve task(const Packed& packed, std::ptrdiff_t first) const {
    const Link& link = packed.link;
    const float* x = link.bent ? bent(link.from) : plain(link.from);
    return {link.channels, link.taps, link.dilation, 0, nullptr, nullptr, x + (first - windows_[link.from].begin),
            stride_, 0, {}, link.scale, link.slope, nullptr, nullptr, stride_};
  }

  void convolve(const Packed& packed, std::size_t number) const {
    const Link& link = packed.link;
    const Window w = windows_[number];
    const Convolve whole = task(packed, w.begin - std::ptrdiff_t(link.before));
    for (std::size_t first = 0; first < w.width(); first += kConvolvedSteps) {
      Convolve part = whole;
      part.x += first;
      part.steps = std::min(kConvolvedSteps, round_up(w.width() - first, kConvolvedUnit));
      for (std::size_t row = 0; row < link.outputs; row += kConvolvedRows) {
        const std::size_t place = row * stride_ + first;
        set_rows(part, packed, row, link.outputs);
        for (std::size_t i = 0; i < link.added.size(); ++i) {
          const std::size_t also = link.added[i];
          part.added[i] = plain(also) + place + (w.begin - windows_[also].begin);
        }
        part.out = plain(number) ? plain(number) + place : nullptr;
        part.bent = bent(number) ? bent(number) + place : nullptr;
        chain_.kernels_.convolve(part);
      }
    }
  }

  static void set_rows(Convolve& part, const Packed& packed, std::size_t row, std::size_t rows) {
    part.kernel = packed.kernel.data() + row * part.channels * part.taps;
    part.bias = packed.bias.data() + row;
    part.rows = std::min(kConvolvedRows, rows - row);
  }

  // The rows of a kernel are for each output the steps that are made of one.
  void stretch(const Packed& packed, std::size_t number) const {
    const Link& link = packed.link;
    const Window w = windows_[number], read = read_by(link, w);
    const Convolve whole = task(packed, read.begin);
    const std::size_t steps = read.width() - (link.taps - 1), rows = link.outputs * link.stretch;
    alignas(64) float sums[kConvolvedRows * kConvolvedSteps];
    for (std::size_t first = 0; first < steps; first += kConvolvedSteps) {
      Convolve part = whole;
      part.x += first;
      part.steps = std::min(kConvolvedSteps, round_up(steps - first, kConvolvedUnit));
      part.out = sums, part.out_stride = kConvolvedSteps;
      const std::ptrdiff_t place = (read.begin + std::ptrdiff_t(link.taps - 1 + first)) * std::ptrdiff_t(link.stretch);
      for (std::size_t row = 0; row < rows; row += kConvolvedRows) {
        set_rows(part, packed, row, rows);
        chain_.kernels_.convolve(part);
        for (std::size_t r = 0; r < part.rows; ++r)
          put_apart(sums + r * kConvolvedSteps, part.steps, link.stretch,
                    place + std::ptrdiff_t((row + r) % link.stretch) - std::ptrdiff_t(link.before) - w.begin,
                    std::ptrdiff_t(w.width()), plain(number) + (row + r) / link.stretch * stride_);
      }
    }
    bend(number);
  }

  // Numbers `stretch` places apart, as far as these lie in [0, width).
  static void put_apart(const float* from, std::size_t count, std::size_t stretch, std::ptrdiff_t place,
                        std::ptrdiff_t width, float* to) {
    const std::ptrdiff_t apart = std::ptrdiff_t(stretch);
    const std::ptrdiff_t start = place < 0 ? -floor_divide(place, apart) : 0;
    const std::ptrdiff_t stop = std::min(std::ptrdiff_t(count), -floor_divide(place - width, apart));
    for (std::ptrdiff_t i = start; i < stop; ++i) to[place + i * apart] = from[i];
  }

  const Chain& chain_;
  const Layout& layout_;
  const std::vector<std::size_t>& lengths_;
  const std::size_t stride_;
  float* const workspace_;
  std::vector<Window> windows_;
};

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
