// The part of the Python module that holds single maps.
#pragma once

#include <nanobind/nanobind.h>

void bind_maps(nanobind::module_& module);
void bind_chain(nanobind::module_& module);
void bind_mixer(nanobind::module_& module);
