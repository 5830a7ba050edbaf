// Products and other kernels of the instruction sets that this machine lacks, beside the scalar ones.
#include <sys/mman.h>

#include <cstdio>
#include <thread>

#include "kernels_test.hpp"
#include "products_test.hpp"
#include "self_check.hpp"
#include "tiles.hpp"

namespace loquent {

// Memory whose last byte stands before a page that nobody may read.
class Guarded {
 public:
  Guarded() : start_(static_cast<std::byte*>(mmap(nullptr, kBytes + kPage, PROT_READ | PROT_WRITE,
                                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    CHECK(start_ != MAP_FAILED && !mprotect(start_ + kBytes, kPage, PROT_NONE));
  }
  ~Guarded() { munmap(start_, kBytes + kPage); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  const std::byte* copy(const std::byte* from, std::size_t bytes) {
    CHECK(bytes <= kBytes);
    return static_cast<const std::byte*>(std::memcpy(start_ + kBytes - bytes, from, bytes));
  }

 private:
  static constexpr std::size_t kPage = 1 << 16, kBytes = 1 << 20;
  std::byte* start_;
};

// A product of "amx", which uses tiles where tokens are many, leaves nothing of them behind, and reads
// nothing behind the last record.
template <std::size_t kind>
void in_tiles(const Product& p) {
  static Guarded records;
  Product guarded = p;
  guarded.codes = records.copy(p.codes, p.tokens * code_stride(p.matrix->columns));
  const std::size_t before = emulated_tiles.products();
  CHECK(!emulated_tiles.configured());
  amx_kernels().product[kind](guarded);
  CHECK(!emulated_tiles.configured());
  CHECK((emulated_tiles.products() > before) == (Kind(kind) == Kind::bf16 || p.tokens >= 8));
}

Kernels watched_amx() {
  Kernels made = amx_kernels();
  made.product[1] = in_tiles<1>, made.product[2] = in_tiles<2>, made.product[3] = in_tiles<3>;
  return made;
}

void test(const Kernels& own) {
  const Kernels& scalar = scalar_kernels();
  CHECK(repeats_scalar(own));
  const std::size_t products = test_products({&own}, scalar), others = FloatTest(own, scalar).run();
  std::printf("%s: %zu products, %zu others\n", own.name, products, others);
}

}  // namespace loquent

// Its words are the names of sets; without any, all are tested, each in a thread of its own.
int main(int count, char** words) {
  using namespace loquent;
  const Kernels amx = watched_amx();
  for (const Kernels* own : {&avx512_kernels(), &avxvnni_kernels(), &amx}) {
    bool wanted = count == 1;
    for (int i = 1; i < count; ++i) wanted = wanted || !std::strcmp(words[i], own->name);
    if (wanted) std::thread(test, *own).join();
  }
}
