// The Python face of mixers: names and types only, no logic.
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>

#include "arrays.hpp"
#include "maps_module.hpp"
#include "mixer.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace loquent;

namespace {

using Made = nb::ndarray<float, nb::numpy, nb::ndim<1>>;

void make(Mixer* place, const Vector& window, std::size_t hop, const std::string& instruction_set) {
  new (place) Mixer(window.data(), window.size(), hop, instruction_set);
}

Made run(const Mixer& mixer, const std::vector<Rows>& parts, const Vector& pulses) {
  if (parts.size() != 7) throw std::invalid_argument("seven parts are mixed.");
  const std::size_t frames = parts[0].shape(1);
  for (const Rows& each : parts)
    if (!frames || each.shape(0) != mixer.bins() || each.shape(1) != frames)
      throw std::invalid_argument("a part is of another shape.");
  const std::size_t samples = mixer.samples(frames);
  if (pulses.size() != samples) throw std::invalid_argument("the pulses are of another length.");
  float* out = new float[samples];
  const nb::capsule owner(out, [](void* p) noexcept { delete[] static_cast<float*>(p); });
  {
    const nb::gil_scoped_release release;
    mixer.run({parts[0].data(), parts[1].data(), parts[2].data(), parts[3].data(), parts[4].data(), parts[5].data(),
               parts[6].data()}, frames, pulses.data(), out);
  }
  return Made(out, {samples}, owner);
}

Made uniform(std::uint64_t key, std::size_t count) {
  float* out = new float[count];
  const nb::capsule owner(out, [](void* p) noexcept { delete[] static_cast<float*>(p); });
  {
    const nb::gil_scoped_release release;
    draw_uniform(key, out, count);
  }
  return Made(out, {count}, owner);
}

}  // namespace

void bind_mixer(nb::module_& module) {
  nb::class_<Mixer>(module, "Mixer")
      .def("__init__", &make, "window"_a, "hop"_a, "instruction_set"_a = "")
      .def("run", &run, "parts"_a, "pulses"_a);
  module.def("uniform", &uniform, "key"_a, "count"_a);
}
