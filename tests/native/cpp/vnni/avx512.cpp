// The instruction set "avx512", with SIMDe's instructions.
#include "simde.hpp"
// then
#include "kernels_avx512.cpp"
