// Products and other kernels of the instruction sets that this machine lacks, beside the scalar ones.
#include <cstdio>

#include "kernels_test.hpp"
#include "products_test.hpp"

int main() {
  using namespace loquent;
  const Kernels& scalar = scalar_kernels();
  const std::vector<const Kernels*> sets = {&avx512_kernels(), &avxvnni_kernels()};
  const std::size_t products = test_products(sets, scalar);
  for (const Kernels* set : sets)
    std::printf("%s: %zu products, %zu others\n", set->name, products, FloatTest(*set, scalar).run());
}
