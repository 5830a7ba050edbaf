// The Python face of chains of convolutions: names and types only, no logic.
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>

#include "arrays.hpp"
#include "chain.hpp"
#include "maps_module.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace loquent;

namespace {

using Cube = nb::ndarray<const float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Made = nb::ndarray<float, nb::numpy, nb::ndim<2>>;

void make(Chain* place, const std::vector<std::tuple<std::size_t, float>>& inputs, const std::string& instruction_set) {
  std::vector<Chain::Input> given;
  for (const auto& [channels, slope] : inputs) {
    if (!(slope >= 0.0f && slope <= 1.0f)) throw std::invalid_argument("a slope is from 0 to 1.");
    given.push_back({channels, slope});
  }
  new (place) Chain(given, instruction_set);
}

void add(Chain& chain, std::size_t from, bool bent, const Cube& kernel, const std::optional<Vector>& bias,
         std::size_t dilation, std::size_t stretch, std::size_t before, std::size_t after,
         const std::vector<std::size_t>& added, float scale, float slope, bool tanh) {
  const std::size_t rows = kernel.shape(0);
  if (!stretch || rows % stretch || (bias && bias->size() != rows / stretch))
    throw std::invalid_argument("a bias or kernel is of another size.");
  chain.add({from, bent, kernel.shape(1), rows / stretch, kernel.shape(2), dilation, stretch, before, after, added,
             scale, slope, tanh}, kernel.data(), bias ? bias->data() : nullptr);
}

Made run(const Chain& chain, const std::vector<Rows>& inputs, bool bent, unsigned threads) {
  if (inputs.size() != chain.inputs()) throw std::invalid_argument("the chain has another number of inputs.");
  std::vector<const float*> data;
  std::vector<std::size_t> lengths;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].shape(0) != chain.channels(i)) throw std::invalid_argument("the kernel does not fit the channels.");
    data.push_back(inputs[i].data()), lengths.push_back(inputs[i].shape(1));
  }
  lengths = chain.lengths(lengths);
  const std::size_t rows = chain.outputs(), steps = lengths.back();
  float* out = new float[rows * steps];
  const nb::capsule owner(out, [](void* p) noexcept { delete[] static_cast<float*>(p); });
  {
    const nb::gil_scoped_release release;
    chain.run(data, lengths, bent, out, threads);
  }
  return Made(out, {rows, steps}, owner);
}

}  // namespace

void bind_chain(nb::module_& module) {
  nb::class_<Chain>(module, "Chain")
      .def("__init__", &make, "inputs"_a, "instruction_set"_a = "")
      .def("add", &add, "source"_a, "bent"_a, "kernel"_a, "bias"_a.none(), "dilation"_a, "stretch"_a, "before"_a,
           "after"_a, "added"_a, "scale"_a, "slope"_a, "tanh"_a)
      .def("run", &run, "inputs"_a, "bent"_a = false, "threads"_a = 1);
}
