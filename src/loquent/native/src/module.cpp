// The Python face of the native runtime: names and types only, no logic.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "cpu.hpp"

NB_MODULE(_core, module) {
  module.doc() = "Loquent's native runtime.";
  module.def("cpu_features", &loquent::cpu_features, "Instruction sets that this machine offers.");
}
