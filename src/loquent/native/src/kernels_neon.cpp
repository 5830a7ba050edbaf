// The table of NEON as every AArch64 processor has it.
#include "kernel_table.hpp"
#include "lanes_neon.hpp"
#include "products_neon.hpp"

namespace loquent {

namespace {

// Products of 8 bits as 16 bits. Sums of two, at most 2 * 127 * 127, fit into these: exact.
struct Widened {
  template <int lane>
  static int32x4_t add(int32x4_t sums, int8x16_t weights, int8x16_t x) {
    const int8x16_t four = vreinterpretq_s8_s32(vdupq_laneq_s32(vreinterpretq_s32_s8(x), lane));
    const int16x8_t low = vmull_s8(vget_low_s8(weights), vget_low_s8(four));
    return vpadalq_s16(sums, vpaddq_s16(low, vmull_high_s8(weights, four)));
  }
};

// 16 codes in the order of the columns.
inline int8x16_t sixteen_codes(const float* x, float inverse) {
  int16x4_t parts[4];
  for (std::size_t i = 0; i < 4; ++i)
    parts[i] = vmovn_s32(vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 4 * i), inverse)));
  return vcombine_s8(vmovn_s16(vcombine_s16(parts[0], parts[1])),
                     vmovn_s16(vcombine_s16(parts[2], parts[3])));
}

void encode_int(const float* x, std::size_t columns, std::byte* record) {
  float* scales = reinterpret_cast<float*>(record);
  float* sums = scales + columns / kGroup;
  std::int8_t* out = reinterpret_cast<std::int8_t*>(record + code_values(columns));
  for (std::size_t first = 0; first < columns; first += kGroup) {
    uint32x4_t bits = vdupq_n_u32(0);  // of the largest sizes: sizes order as their bits do
    for (std::size_t i = first; i < first + kGroup; i += 4)
      bits = vmaxq_u32(bits, vandq_u32(vreinterpretq_u32_f32(vld1q_f32(x + i)),
                                       vdupq_n_u32(0x7fffffffu)));
    const float most = std::bit_cast<float>(vmaxvq_u32(bits));
    const float inverse = code_factor(most), scale = code_scale(most);
    scales[first / kGroup] = scale;
    for (std::size_t part = first; part < first + kGroup; part += kInt4Group) {
      std::int32_t total = 0;
      for (std::size_t i = part; i < part + kInt4Group; i += 16) {
        const int8x16_t codes = inverse > 0.0f ? sixteen_codes(x + i, inverse) : vdupq_n_s8(0);
        vst1q_s8(out + i, codes);
        total += vaddlvq_s8(codes);
      }
      sums[part / kInt4Group] = scale * float(total);
    }
  }
}

}  // namespace

const Kernels& neon_kernels() {
  static const Kernels table = kernel_table<Lanes>(
      "neon", encode_int, product<ProductF32>, product<ProductBf16>, product<ProductInt8<Widened>>,
      product<ProductInt4<Widened>>);
  return table;
}

}  // namespace loquent
