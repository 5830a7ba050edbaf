#include "timing.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "buffer.hpp"
#include "strips.hpp"

namespace loquent {

std::vector<double> seconds_per_product(const Series& series, const std::byte* packed,
                                        const Kernels& kernels, Pool& pool) {
  const std::size_t kind = std::size_t(series.kind), columns = round_up(series.columns, kGroup);
  const std::size_t bytes = round_up(matrix_bytes(series.kind, series.rows, series.columns), 64);
  Buffer<std::byte> weights, records;
  Buffer<float> vector, out;
  weights.reserve(bytes * series.copies);
  std::vector<Matrix> matrices(series.copies);
  for (std::size_t i = 0; i < series.copies; ++i) {
    Matrix& m = matrices[i];
    m.kind = series.kind, m.rows = series.rows, m.columns = columns;
    m.data = weights.data() + i * bytes;
    std::memcpy(weights.data() + i * bytes, packed,
                matrix_bytes(series.kind, series.rows, series.columns));
  }
  vector.reserve(columns);
  records.reserve(series.tokens * code_stride(columns));
  for (std::size_t token = 0; token < series.tokens; ++token) {
    for (std::size_t i = 0; i < series.columns; ++i)
      vector.data()[i] = float((i * 7 + token * 3) % 31) - 15.0f;
    kernels.encode[kind](vector.data(), columns, records.data() + token * code_stride(columns));
  }
  const std::size_t stride = matrices[0].padded_rows();
  out.reserve(series.tokens * stride);
  const Strips strips(stride, series.tokens, pool.threads());
  const auto product = [&](unsigned thread, const Matrix& m) {
    pool.share_ranges(thread, strips.even(), strips.count(), [&](std::size_t item) {
      const auto [row, rows, token] = strips[item];
      kernels.product[kind]({&m, row, rows, records.data() + token * code_stride(columns),
                             std::min(kTileTokens, series.tokens - token),
                             out.data() + token * stride + row, stride, false});
    });
  };
  std::vector<double> found;
  for (std::size_t run = 0; run < series.runs; ++run) {
    const auto start = std::chrono::steady_clock::now();
    pool.run([&](unsigned thread) {
      for (std::size_t i = 0; i < series.products; ++i) product(thread, matrices[i % series.copies]);
    });
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    found.push_back(passed.count() / double(series.products));
  }
  return found;
}

}  // namespace loquent
