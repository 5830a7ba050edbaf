// The kernels that work in floating point, written once over a vector type.
//
// V holds V::width floats and offers load (from floats and halves), set, store (to either), + - * /, fma(a, b, c)
// = a * b + c, max, min, abs, round, below(a, b, yes, no), two_to(n) for whole n, and copy_sign. Of max and
// min the second is given where either is no number. It may offer sum and largest (of its lanes).
// Every sum has one order, whatever else is computed beside it.
#pragma once

#include <math.h>

#include "kernels.hpp"

namespace loquent {

template <class V>
float sum_lanes(V v) {
  if constexpr (requires { v.sum(); }) return v.sum();  // in the same order
  float lanes[V::width];
  v.store(lanes);
  for (std::size_t half = V::width / 2; half; half /= 2)
    for (std::size_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  return lanes[0];
}

template <class V>
float max_lanes(V v) {
  if constexpr (requires { v.largest(); }) return v.largest();
  float lanes[V::width];
  v.store(lanes);
  float most = lanes[0];
  for (std::size_t lane = 1; lane < V::width; ++lane) most = lanes[lane] > most ? lanes[lane] : most;
  return most;
}

// e^x to about one unit in the last place: 2^n times a polynomial in the rest (Cody and Waite 1980,
// chapter 6; coefficients of the Cephes library's expf).
template <class V>
V exponential(V x) {
  x = V::min(V::set(88.0f), V::max(V::set(-87.0f), x));  // no numbers stay what they are
  const V n = V::round(x * V::set(1.44269504f));
  V r = V::fma(n, V::set(-0.693359375f), x);
  r = V::fma(n, V::set(2.12194440e-4f), r);
  V p = V::set(1.9875691500e-4f);
  p = V::fma(p, r, V::set(1.3981999507e-3f));
  p = V::fma(p, r, V::set(8.3334519073e-3f));
  p = V::fma(p, r, V::set(4.1665795894e-2f));
  p = V::fma(p, r, V::set(1.6666665459e-1f));
  p = V::fma(p, r, V::set(5.0000001201e-1f));
  p = V::fma(p, r * r, r + V::set(1.0f));
  return p * V::two_to(n);
}

template <class V>
V sigmoid(V x) {
  return V::set(1.0f) / (V::set(1.0f) + exponential(V::set(0.0f) - x));
}

template <class V>
V tangent(V x) {  // hyperbolic
  return V::fma(V::set(2.0f), sigmoid(x + x), V::set(-1.0f));
}

// The error function, within 5e-7: x times one polynomial over another in x squared, up to 4, where it is 1 for
// floats (coefficients of the Eigen library's float version).
template <class V>
V error_function(V x) {
  const V one = V::set(1.0f), size = V::abs(x), near = V::min(V::set(4.0f), V::max(V::set(-4.0f), x));
  const V square = near * near;
  V p = V::set(-2.72614225801306e-10f), q = V::set(-1.45660718464996e-05f);
  p = V::fma(p, square, V::set(2.77068142495902e-08f));
  p = V::fma(p, square, V::set(-2.10102402082508e-06f));
  p = V::fma(p, square, V::set(-5.69250639462346e-05f));
  q = V::fma(q, square, V::set(-2.13374055278905e-04f));
  p = V::fma(p, square, V::set(-7.34990630326855e-04f));
  q = V::fma(q, square, V::set(-1.68282697438203e-03f));
  p = V::fma(p, square, V::set(-2.95459980854025e-03f));
  q = V::fma(q, square, V::set(-7.37332916720468e-03f));
  p = V::fma(p, square, V::set(-1.60960333262415e-02f));
  q = V::fma(q, square, V::set(-1.42647390514189e-02f));
  return V::below(size, V::set(4.0f), near * p / q, V::copy_sign(one, x));
}

// Activations, in the order of the enumeration (architecture/parts.py: Activation).
template <class V> struct Relu { static V of(V x) { return V::max(V::set(0.0f), x); } };
template <class V> struct Gelu {
  static V of(V x) {
    return V::set(0.5f) * x * (V::set(1.0f) + error_function(x * V::set(0.70710678f)));
  }
};
template <class V> struct GeluTanh {  // x (1 + tanh u) / 2 = x sigmoid(2u)
  static V of(V x) {
    return x * sigmoid(V::set(1.59576912f) * V::fma(V::set(0.044715f) * x * x, x, x));
  }
};
template <class V> struct Silu { static V of(V x) { return x * sigmoid(x); } };
template <class V> struct Tanh { static V of(V x) { return tangent(x); } };

template <class V, template <class> class Function>
void activate(float* x, std::size_t count) {  // count: a multiple of 16
  for (std::size_t i = 0; i < count; i += V::width) Function<V>::of(V::load(x + i)).store(x + i);
}

template <class V>
void multiply(float* x, const float* y, std::size_t count) {
  for (std::size_t i = 0; i < count; i += V::width) (V::load(x + i) * V::load(y + i)).store(x + i);
}

template <class V>
void scale(float* x, float factor, std::size_t count) {
  for (std::size_t i = 0; i < count; i += V::width) (V::load(x + i) * V::set(factor)).store(x + i);
}

// 16 numbers as they are, or as halves, of which infinite ones become the largest.
template <class V>
void store_all(const float* x, float* out) {
  for (std::size_t i = 0; i < 16; i += V::width) V::load(x + i).store(out + i);
}
template <class V>
void store_all(const float* x, Half* out) {
  const V most = V::set(kHalfMax), least = V::set(-kHalfMax);
  for (std::size_t i = 0; i < 16; i += V::width)
    V::min(most, V::max(least, V::load(x + i))).store(out + i);
}

// LayerNorm (Ba et al. 2016) or RMSNorm (Zhang and Sennrich 2019) of one vector. What stands behind
// its width up to a whole vector is zero before and after.
template <class V>
void norm(const Norm& n, const float* x, float* out) {
  const std::size_t whole = n.width / V::width * V::width;
  V total = V::set(0.0f);
  float mean = 0.0f;
  if (!n.rms) {
    for (std::size_t i = 0; i < whole; i += V::width) total = total + V::load(x + i);
    mean = sum_lanes(total);
    for (std::size_t i = whole; i < n.width; ++i) mean += x[i];
    mean /= float(n.width);
  }
  const V middle = V::set(mean);
  V squares = V::set(0.0f);
  for (std::size_t i = 0; i < whole; i += V::width) {
    const V apart = V::load(x + i) - middle;
    squares = V::fma(apart, apart, squares);
  }
  float variance = sum_lanes(squares);
  for (std::size_t i = whole; i < n.width; ++i) variance += (x[i] - mean) * (x[i] - mean);
  const float factor = 1.0f / sqrtf(variance / float(n.width) + n.epsilon);
  const V factors = V::set(factor);
  for (std::size_t i = 0; i < whole; i += V::width) {
    const V y = (V::load(x + i) - middle) * factors * V::load(n.weight + i);
    (n.bias ? y + V::load(n.bias + i) : y).store(out + i);
  }
  for (std::size_t i = whole; i < n.width; ++i)
    out[i] = (x[i] - mean) * factor * n.weight[i] + (n.bias ? n.bias[i] : 0.0f);
}

template <class V>
void encode_float(const float* x, std::size_t columns, std::byte* record) {
  float* out = reinterpret_cast<float*>(record);
  for (std::size_t i = 0; i < columns; i += V::width) V::load(x + i).store(out + i);
}

}  // namespace loquent
