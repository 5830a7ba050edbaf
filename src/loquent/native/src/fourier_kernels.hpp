// The Fourier transform, written once over a vector type whose lanes are so many transforms beside each other.
#pragma once

#include "kernels.hpp"
#include "unroll.hpp"

namespace loquent {

template <class V>
struct Complex {
  V re, im;

  static Complex load(const float* x) { return {V::load(x), V::load(x + V::width)}; }
  static Complex set(const float* x) { return {V::set(x[0]), V::set(x[1])}; }
  void store(float* x) const { re.store(x), im.store(x + V::width); }
  Complex conjugate() const { return {re, V::set(0.0f) - im}; }
  Complex times(float factor) const { return {re * V::set(factor), im * V::set(factor)}; }
  Complex turned() const { return {im, V::set(0.0f) - re}; }  // times -i
};
template <class V>
inline Complex<V> operator+(Complex<V> a, Complex<V> b) { return {a.re + b.re, a.im + b.im}; }
template <class V>
inline Complex<V> operator-(Complex<V> a, Complex<V> b) { return {a.re - b.re, a.im - b.im}; }
template <class V>
inline Complex<V> operator*(Complex<V> a, Complex<V> b) {
  return {a.re * b.re - a.im * b.im, V::fma(a.re, b.im, a.im * b.re)};
}

// Transforms of 2 to 5 numbers.
template <class V>
inline void transform(Complex<V> (&a)[2]) {
  const Complex<V> sum = a[0] + a[1];
  a[1] = a[0] - a[1], a[0] = sum;
}
template <class V>
inline void transform(Complex<V> (&a)[3]) {
  const Complex<V> sum = a[1] + a[2], apart = (a[1] - a[2]).times(0.866025404f).turned();
  const Complex<V> middle = a[0] - sum.times(0.5f);
  a[0] = a[0] + sum, a[1] = middle + apart, a[2] = middle - apart;
}
template <class V>
inline void transform(Complex<V> (&a)[4]) {
  const Complex<V> even = a[0] + a[2], odd = a[1] + a[3], apart = a[0] - a[2], other = (a[1] - a[3]).turned();
  a[0] = even + odd, a[1] = apart + other, a[2] = even - odd, a[3] = apart - other;
}
template <class V>
inline void transform(Complex<V> (&a)[5]) {
  const Complex<V> near = a[1] + a[4], far = a[2] + a[3], near_apart = a[1] - a[4], far_apart = a[2] - a[3];
  const Complex<V> one = a[0] + near.times(0.309016994f) - far.times(0.809016994f);
  const Complex<V> two = a[0] - near.times(0.809016994f) + far.times(0.309016994f);
  const Complex<V> first = (near_apart.times(0.951056516f) + far_apart.times(0.587785252f)).turned();
  const Complex<V> second = (near_apart.times(0.587785252f) - far_apart.times(0.951056516f)).turned();
  a[0] = a[0] + near + far;
  a[1] = one + first, a[4] = one - first, a[2] = two + second, a[3] = two - second;
}

// One stage of the self-sorting transform (Stockham 1966), of which `done` points are apart already.
template <class V, std::size_t radix>
const float* stage(const float* x, float* y, std::size_t left, std::size_t done, const float* twiddles) {
  constexpr std::size_t step = 2 * V::width;
  for (std::size_t p = 0; p < left; ++p, twiddles += 2 * (radix - 1)) {
    Complex<V> factors[radix - 1];
    UNROLL for (std::size_t j = 0; j + 1 < radix; ++j) factors[j] = Complex<V>::set(twiddles + 2 * j);
    for (std::size_t q = 0; q < done; ++q) {
      Complex<V> a[radix];
      UNROLL for (std::size_t j = 0; j < radix; ++j) a[j] = Complex<V>::load(x + (q + done * (p + left * j)) * step);
      transform(a);
      float* to = y + (q + done * radix * p) * step;
      a[0].store(to);
      UNROLL for (std::size_t j = 1; j < radix; ++j) (a[j] * factors[j - 1]).store(to + done * j * step);
    }
  }
  return twiddles;
}

// The transform of x[points], each V::width real parts and as many imaginary ones; `y` is as large. Gives where
// the result lies, which is one of the two.
template <class V>
float* transformed(const Fourier& f, float* x, float* y) {
  const float* twiddles = f.twiddles;
  std::size_t left = f.points, done = 1;
  for (std::size_t i = 0; i < f.stages; ++i) {
    left /= f.radices[i];
    switch (f.radices[i]) {
      case 2: twiddles = stage<V, 2>(x, y, left, done, twiddles); break;
      case 3: twiddles = stage<V, 3>(x, y, left, done, twiddles); break;
      case 4: twiddles = stage<V, 4>(x, y, left, done, twiddles); break;
      default: twiddles = stage<V, 5>(x, y, left, done, twiddles);
    }
    done *= f.radices[i];
    float* const made = y;
    y = x, x = made;
  }
  return x;
}

}  // namespace loquent
