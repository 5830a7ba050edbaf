// The Python face of single maps: names and types only, no logic.
#include "maps_module.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "arrays.hpp"
#include "isa.hpp"
#include "leading.hpp"
#include "maps.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace loquent;

namespace {

using Changed = nb::ndarray<float, nb::c_contig, nb::device::cpu>;
using Made = nb::ndarray<float, nb::numpy, nb::ndim<2>>;
using Given = std::optional<Vector>;

Made owned(float* data, std::size_t rows, std::size_t columns, std::size_t stride) {
  const nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<float*>(p); });
  return Made(data, {rows, columns}, owner, {std::int64_t(stride), 1});
}

const float* checked(const Given& given, std::size_t size) {
  if (!given) return nullptr;
  if (given->size() != size) throw std::invalid_argument("a bias or norm is of another size.");
  return given->data();
}

void make(Map* place, const Rows& weights, const Given& bias, const Given& norm_weight,
          const Given& norm_bias, float epsilon, std::uint32_t kind, std::optional<Activation> activation,
          const std::string& instruction_set) {
  if (kind >= kKinds) throw std::invalid_argument("there is no such kind of matrix.");
  const std::size_t rows = weights.shape(0), columns = weights.shape(1);
  if (!rows || !columns) throw std::invalid_argument("a map needs rows and columns.");
  const MapParts parts{weights.data(), checked(bias, rows), checked(norm_weight, columns),
                       checked(norm_bias, columns)};
  if (parts.norm_bias && !parts.norm_weight) throw std::invalid_argument("a norm has weights.");
  new (place) Map(parts, rows, columns, Kind(kind), epsilon, activation, instruction_set);
}

Made apply(Map& map, const Rows& x, bool in, bool across, const std::optional<Rows>& residual) {
  const std::size_t count = x.shape(in ? 1 : 0);
  if (x.shape(in ? 0 : 1) != map.columns()) throw std::invalid_argument("the vectors are of another width.");
  if (residual && (!across || residual->shape(0) != map.rows() || residual->shape(1) != count))
    throw std::invalid_argument("what is added is of another shape.");
  float* out = new float[count * (across ? map.rows() : map.stride())];
  {
    const nb::gil_scoped_release release;
    map.apply(x.data(), count, out, {in, across, residual ? residual->data() : nullptr});
  }
  if (across) return owned(out, map.rows(), count, count);
  return owned(out, count, map.rows(), map.stride());
}

// How many steps a kernel gives of a sequence with zeros around it.
std::size_t steps_of(std::size_t length, std::size_t taps, std::size_t dilation, std::size_t before,
                     std::size_t after) {
  constexpr std::size_t most = std::size_t(1) << 40;
  const std::size_t reach = taps && dilation <= most ? dilation * (taps - 1) : 0;
  if (!taps || dilation > most || before > most || after > most || length + before + after < reach + 1)
    throw std::invalid_argument("the kernel does not fit the channels.");
  return length + before + after - reach;
}

Made convolve_alone(const Rows& x, const Rows& kernel, const Given& bias, std::size_t dilation, std::size_t before,
              std::size_t after) {
  const std::size_t channels = x.shape(0), length = x.shape(1), taps = kernel.shape(1);
  if (kernel.shape(0) != channels) throw std::invalid_argument("the kernel does not fit the channels.");
  const std::size_t steps = steps_of(length, taps, dilation, before, after);
  const float* biases = checked(bias, channels);
  float* out = new float[channels * steps];
  {
    const nb::gil_scoped_release release;
    convolve_channels({channels, length, taps, dilation, before, steps}, x.data(), kernel.data(), biases, out);
  }
  return owned(out, channels, steps, steps);
}

using Logits = nb::ndarray<const float, nb::ndim<2>, nb::device::cpu>;

template <class T>
nb::ndarray<T, nb::numpy> array_of(std::unique_ptr<T[]> data, std::initializer_list<std::size_t> shape) {
  const nb::capsule owner(data.get(), [](void* p) noexcept { delete[] static_cast<T*>(p); });
  return nb::ndarray<T, nb::numpy>(data.release(), shape, owner);
}

nb::tuple leading_of(const Logits& logits, std::size_t wanted, const std::string& instruction_set) {
  const std::size_t rows = logits.shape(0), columns = logits.shape(1);
  if (!columns || !wanted) throw std::invalid_argument("at least one is wanted of each row.");
  if ((columns > 1 && logits.stride(1) != 1) || (rows > 1 && logits.stride(0) < 0))
    throw std::invalid_argument("the numbers of a row must stand side by side, and rows in their order.");
  wanted = std::min(wanted, columns);
  auto places = std::make_unique<std::int32_t[]>(rows * wanted);
  auto values = std::make_unique<float[]>(rows * wanted);
  auto totals = std::make_unique<double[]>(rows);
  {
    const nb::gil_scoped_release release;
    leading(logits.data(), rows, columns, std::size_t(logits.stride(0)),
            {wanted, places.get(), values.get(), totals.get()}, instruction_set);
  }
  return nb::make_tuple(array_of(std::move(places), {rows, wanted}), array_of(std::move(values), {rows, wanted}),
                        array_of(std::move(totals), {rows}));
}

}  // namespace

void bind_maps(nb::module_& module) {
  nb::class_<Map>(module, "Map")
      .def("__init__", &make, "weights"_a, "bias"_a.none(), "norm_weight"_a.none(), "norm_bias"_a.none(),
           "epsilon"_a, "kind"_a, "activation"_a.none(), "instruction_set"_a = "")
      .def("apply", &apply, "x"_a, "turned"_a = false, "across"_a = false, "residual"_a.none() = nb::none());
  module.def("gelu", [](const Changed& x, const std::string& instruction_set) {
    gelu(x.data(), x.size(), instruction_set);
  }, "x"_a, "instruction_set"_a = "");
  module.def("leading", &leading_of, "logits"_a, "wanted"_a, "instruction_set"_a = "");
  module.def("convolve_channels", &convolve_alone, "x"_a, "kernel"_a, "bias"_a.none(), "dilation"_a, "before"_a,
             "after"_a);
}
