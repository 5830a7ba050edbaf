// The instruction set "amx", with SIMDe's instructions and tiles in plain memory.
#include "simde.hpp"
#include "tiles.hpp"
// then
#include "kernels_amx.cpp"
