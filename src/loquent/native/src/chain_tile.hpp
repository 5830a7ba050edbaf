// What chain.cpp alone includes: how a piece of time goes through the links of a chain.
#pragma once

#include <algorithm>

#include "chain.hpp"

namespace loquent {

constexpr std::size_t kNone = ~std::size_t(0);

inline std::ptrdiff_t floor_divide(std::ptrdiff_t a, std::ptrdiff_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

// What a link reads for a part of its result. Of a stretched one: steps of the value that lie `taps` - 1 before.
inline Window read_by(const Link& link, Window made) {
  const std::ptrdiff_t before = std::ptrdiff_t(link.before), stretch = std::ptrdiff_t(link.stretch);
  if (stretch == 1)
    return {made.begin - before, made.end - before + std::ptrdiff_t(link.dilation * (link.taps - 1))};
  return {floor_divide(made.begin + before, stretch) - std::ptrdiff_t(link.taps - 1),
          floor_divide(made.end - 1 + before, stretch) + 1};
}

// Where the two forms of each value lie: the first of so many rows, or kNone.
struct Chain::Layout {
  std::vector<std::size_t> plain, bent;
  std::size_t rows = 0;
};

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

}  // namespace loquent
