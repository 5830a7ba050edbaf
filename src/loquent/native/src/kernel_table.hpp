// The table of an instruction set, of what is written once for all over its vectors of floats (Lanes) and
// of its own products. A new activation is a line here.
#pragma once

#include "attention_kernels.hpp"
#include "convolution_kernels.hpp"
#include "kernels.hpp"
#include "leading_kernels.hpp"
#include "mixing_kernels.hpp"

namespace loquent {

using Encode = void (*)(const float* x, std::size_t columns, std::byte* record);
using Multiply = void (*)(const Product&);

// `codes` encodes for int8 and int4; the products are in the order of the kinds.
template <class Lanes>
Kernels kernel_table(const char* name, Encode codes, Multiply f32, Multiply bf16, Multiply int8,
                     Multiply int4) {
  return {
      .name = name,
      .encode = {encode_float<Lanes>, encode_float<Lanes>, codes, codes},
      .product = {f32, bf16, int8, int4},
      .norm = norm<Lanes>,
      .activate = {activate<Lanes, Relu>, activate<Lanes, Gelu>, activate<Lanes, GeluTanh>,
                   activate<Lanes, Silu>, activate<Lanes, Tanh>},
      .multiply = multiply<Lanes>,
      .scale = scale<Lanes>,
      .convolve = convolve<Lanes>,
      .bend = bend<Lanes>,
      .mix = mix<Lanes>,
      .total = total<Lanes>,
      .halves = {kQueries<Lanes>, put<Lanes, Half>, attend<Lanes, Half>, score<Lanes, Half>},
      .floats = {kQueries<Lanes>, put<Lanes, float>, attend<Lanes, float>, score<Lanes, float>},
  };
}

}  // namespace loquent
