// The instruction set "avxvnni", with SIMDe's instructions.
#include "simde.hpp"
// then
#include "kernels_avxvnni.cpp"
