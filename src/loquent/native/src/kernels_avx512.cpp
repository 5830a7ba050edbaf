// The table of AVX-512 with VNNI.
#include "kernel_table.hpp"
#include "lanes_avx512.hpp"
#include "products_vnni.hpp"

namespace loquent {

namespace {

struct Wide {
  using Lanes = loquent::Lanes;
  static constexpr std::size_t tile_vectors = 4, tile_tokens = 5;  // 20 sums in 32 registers
  __m512i v;

  static Wide load(const std::byte* x) { return {_mm512_loadu_si512(x)}; }
  static Wide set(std::int32_t x) { return {_mm512_set1_epi32(x)}; }
  static Wide dot(Wide sums, Wide weights, Wide x) {
    sums.v = _mm512_dpbusd_epi32(sums.v, weights.v, x.v);
    SETTLE(sums.v);
    return sums;
  }
  Wide flip() const { return {_mm512_xor_si512(v, _mm512_set1_epi32(int(0x80808080u)))}; }
  Wide low() const { return {_mm512_and_si512(v, _mm512_set1_epi32(0x0f0f0f0f))}; }
  Wide high() const { return Wide{_mm512_srli_epi16(v, 4)}.low(); }
  Lanes even() const { return {_mm512_castsi512_ps(_mm512_slli_epi32(v, 16))}; }
  Lanes odd() const {
    return {_mm512_castsi512_ps(_mm512_and_si512(v, _mm512_set1_epi32(int(0xffff0000u))))};
  }
  Lanes floats() const { return {_mm512_cvtepi32_ps(v)}; }
  std::int32_t total() const { return _mm512_reduce_add_epi32(v); }
};

}  // namespace

const Kernels& avx512_kernels() {
  static const Kernels table = kernel_table<Lanes>(
      "avx512", encode_int<Wide>, product<ProductF32<Wide>>, product<ProductBf16<Wide>>,
      product<ProductInt8<Wide>>, product<ProductInt4<Wide>>);
  return table;
}

}  // namespace loquent
