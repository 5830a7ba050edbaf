// Convolutions along time that stand behind each other, a piece of time at a time: what lies between them stays
// in the cache.
#pragma once

#include <string>
#include <vector>

#include "buffer.hpp"
#include "kernels.hpp"

namespace loquent {

// One convolution. Values are numbered: first the inputs, then what each link makes.
struct Link {
  std::size_t from;  // the value that is convolved
  bool bent;         // with its negative numbers times its slope
  std::size_t channels, outputs, taps, dilation;
  std::size_t stretch;        // steps made of each; above 1 the kernel has outputs * stretch rows
  std::size_t before, after;  // zeros around the value; with a stretch, steps of the result that are cut off
  std::vector<std::size_t> added;  // values of the result's shape
  float scale;                     // of the sum
  float slope;                     // from 0 to 1, for those that read the result bent
  bool tanh;
};

// A part of a value: its steps from `begin` to `end`, which may lie outside of it, where all is zero.
struct Window {
  std::ptrdiff_t begin, end;
  std::size_t width() const { return std::size_t(end - begin); }
};

class Chain {
 public:
  struct Input {
    std::size_t channels;
    float slope;
  };

  Chain(const std::vector<Input>& inputs, const std::string& instruction_set);
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;

  // `kernel`: [outputs * stretch][channels][taps]; `bias`: [outputs], or nullptr. Throws std::invalid_argument.
  void add(const Link& link, const float* kernel, const float* bias);

  std::size_t inputs() const { return inputs_; }
  std::size_t channels(std::size_t value) const { return values_.at(value).channels; }
  std::size_t outputs() const { return values_.back().channels; }

  // The steps of each value; throws std::invalid_argument where they do not fit together.
  std::vector<std::size_t> lengths(const std::vector<std::size_t>& of_inputs) const;

  // Inputs [channels][length] to the last value [outputs][length], bent or not. Pieces are shared by as many threads,
  // where there is enough to do for more than the one that asks.
  void run(const std::vector<const float*>& inputs, const std::vector<std::size_t>& lengths, bool bent, float* out,
           unsigned threads = 1) const;

 private:
  struct Value {
    std::size_t channels;
    float slope;
    std::size_t last = 0, last_bent = 0;  // links that read it, or 0; numbered as what they make
  };
  struct Packed {
    Link link;
    Buffer<float> kernel, bias;  // kernel: [rows / 8][channels][taps][8]
  };
  struct Layout;
  class Tile;

  void check(const Link& link) const;
  Layout layout(bool bent) const;
  std::vector<Window> windows(Window result) const;
  std::size_t products(const std::vector<std::size_t>& lengths) const;

  const Kernels& kernels_;
  std::size_t inputs_;
  std::vector<Value> values_;
  std::vector<Packed> links_;
};

}  // namespace loquent
