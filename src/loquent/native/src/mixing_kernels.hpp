// Frames of a wave from their spectra, written once over a vector type whose lanes are frames.
#pragma once

#include "float_kernels.hpp"
#include "fourier_kernels.hpp"

namespace loquent {

// A number of a size and an angle: of a quarter of the angle, less whole turns, by polynomials (Cephes' sinf and
// cosf), which is doubled twice.
template <class V>
Complex<V> polar(V size, V angle) {
  const V turns = V::round(angle * V::set(0.159154943f)), zero = V::set(0.0f), one = V::set(1.0f);
  V x = V::fma(zero - turns, V::set(6.28125f), angle);
  x = V::fma(zero - turns, V::set(1.93530718e-3f), x) * V::set(0.25f);
  const V square = x * x;
  V sine = V::fma(square, V::set(-1.9515295891e-4f), V::set(8.3321608736e-3f));
  sine = V::fma(square, sine, V::set(-1.6666654611e-1f));
  sine = V::fma(square * x, sine, x);
  V cosine = V::fma(square, V::set(2.443315711809948e-5f), V::set(-1.388731625493765e-3f));
  cosine = V::fma(square, cosine, V::set(4.166664568298827e-2f));
  cosine = V::fma(square * square, cosine, V::fma(square, V::set(-0.5f), one));
  const V half_sine = (sine + sine) * cosine, half_cosine = V::fma(zero - (sine + sine), sine, one);
  return {size * V::fma(zero - (half_sine + half_sine), half_sine, one), size * (half_sine + half_sine) * half_cosine};
}

template <class V>
V loud(const float* logarithm) {  // bounded, so that no sum overflows
  return exponential(V::min(V::set(7.0f), V::load(logarithm)));
}

// Some of the frames, from `first` on: as many as a vector has lanes.
template <class V>
class Mixing {
 public:
  Mixing(const Mix& mix, std::size_t first)
      : m_(mix), first_(first), points_(mix.fourier.points), x_(mix.work), y_(x_ + points_ * step),
        spectrum_(y_ + points_ * step) {}

  void run() {
    take();
    const float* z = transformed<V>(m_.fourier, x_, y_);
    for (std::size_t k = 0; k <= points_; ++k) mixed(z, k).store(spectrum_ + k * step);
    V::set(0.0f).store(spectrum_ + V::width), V::set(0.0f).store(spectrum_ + points_ * step + V::width);
    for (std::size_t k = 0; k < points_; ++k) halved(k);
    put(transformed<V>(m_.fourier, x_, y_));
  }

 private:
  static constexpr std::size_t step = 2 * V::width;

  // Frames of pulses, whose even samples are real parts and whose odd ones imaginary parts.
  void take() {
    const float* from[V::width];
    for (std::size_t lane = 0; lane < V::width; ++lane) {
      const std::size_t frame = first_ + lane < m_.frames ? first_ + lane : m_.frames - 1;
      from[lane] = m_.pulses + frame * m_.hop;
    }
    for (std::size_t i = 0; i < 2 * points_; ++i) {
      float* to = x_ + i * V::width;
      for (std::size_t lane = 0; lane < V::width; ++lane) to[lane] = from[lane][i];
      (V::load(to) * V::set(m_.window[i])).store(to);
    }
  }

  static Complex<V> at(const float* z, std::size_t k) { return Complex<V>::load(z + k * step); }
  Complex<V> turn(std::size_t k) const { return Complex<V>::set(m_.fourier.turns + 2 * k); }

  // A number of the spectrum: that of the pulses, filtered, and of what is added.
  Complex<V> mixed(const float* z, std::size_t k) const {
    const Complex<V> own = at(z, k % points_), other = at(z, (points_ - k) % points_).conjugate();
    const Complex<V> pulse = (own + other).times(0.5f) + turn(k) * (own - other).times(0.5f).turned();
    const std::size_t place = k * m_.stride + first_;
    const V angle = tangent(V::load(m_.turned + place)) * V::set(3.14159265f);
    const Complex<V> filter = polar(loud<V>(m_.harmonics + place) * V::set(2.0f / float(points_)), angle);
    const V size = loud<V>(m_.noise + place) * V::load(m_.radius + place);
    return pulse * filter + polar(size, V::load(m_.angle + place)) +
           polar(loud<V>(m_.rest + place), V::load(m_.phase + place));
  }

  // The spectrum of half as many complex numbers, real and imaginary parts changed for each other: its transform is
  // then the inverse one, with its parts changed too.
  void halved(std::size_t k) {
    const Complex<V> own = at(spectrum_, k), other = at(spectrum_, points_ - k).conjugate();
    const Complex<V> odd = turn(k).conjugate() * (own - other);  // times i below
    const Complex<V> z = own + other + Complex<V>{V::set(0.0f) - odd.im, odd.re};
    Complex<V>{z.im, z.re}.store(x_ + k * step);
  }

  void put(const float* z) {
    const float factor = 0.5f / float(points_);
    const std::size_t lanes = first_ + V::width < m_.frames ? V::width : m_.frames - first_;
    alignas(64) float samples[2][V::width];
    for (std::size_t i = 0; i < points_; ++i) {
      const Complex<V> y = at(z, i).times(factor);
      (y.im * V::set(m_.window[2 * i])).store(samples[0]);
      (y.re * V::set(m_.window[2 * i + 1])).store(samples[1]);
      float* to = m_.sums + first_ * m_.hop + 2 * i;
      for (std::size_t lane = 0; lane < lanes; ++lane, to += m_.hop)
        to[0] += samples[0][lane], to[1] += samples[1][lane];
    }
  }

  const Mix& m_;
  const std::size_t first_, points_;
  float *x_, *y_, *spectrum_;
};

template <class V>
void mix(const Mix& m) {
  for (std::size_t first = 0; first < m.frames; first += V::width) Mixing<V>(m, first).run();
}

}  // namespace loquent
