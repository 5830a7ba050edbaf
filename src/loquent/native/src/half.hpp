// Numbers of 16 bits, converted one at a time.
#pragma once

#include <bit>
#include <cstdint>

namespace loquent {

struct Half {  // IEEE 754 binary16
  std::uint16_t bits;
};

constexpr float kHalfMax = 65504.0f;

static inline float to_float(Half half) {
  const std::uint32_t sign = std::uint32_t(half.bits & 0x8000u) << 16;
  const std::uint32_t magnitude = half.bits & 0x7fffu;
  if (magnitude < 0x0400u) {  // zero and subnormal numbers: multiples of 2^-24
    const float value = float(magnitude) * 0x1p-24f;
    return sign ? -value : value;
  }
  if (magnitude >= 0x7c00u)  // infinity and not-a-number
    return std::bit_cast<float>(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
  return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000u));
}

// To the nearest, ties to even, as processors round.
static inline Half to_half(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint16_t sign = std::uint16_t(bits >> 16 & 0x8000u);
  std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude >= 0x7f800000u)
    return {std::uint16_t(sign | 0x7c00u | (magnitude > 0x7f800000u ? 0x200u : 0u))};
  if (magnitude < 0x38800000u) {  // below the smallest normal number: adding 0.5 rounds to 2^-24
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return {std::uint16_t(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000u))};
  }
  magnitude += 0xfffu + (magnitude >> 13 & 1u);
  const std::uint32_t half = (magnitude - 0x38000000u) >> 13;
  return {std::uint16_t(sign | (half > 0x7c00u ? 0x7c00u : half))};
}

static inline float bf16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t(bits) << 16);
}

static inline std::uint16_t to_bf16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return std::uint16_t(bits >> 16 | 0x40u);
  return std::uint16_t((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

}  // namespace loquent
