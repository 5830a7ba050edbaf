// The native runtime by itself, for the sanitizers and emulators to watch: pool, memory, kernels and steps.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "chain_test.hpp"
#include "check.hpp"
#include "isa.hpp"
#include "kernels_test.hpp"
#include "leading_test.hpp"
#include "mixer_test.hpp"
#include "network.hpp"
#include "products_test.hpp"
#include "self_check.hpp"
#include "small_model.hpp"

namespace loquent {

void test_pool() {
  for (const unsigned threads : {1u, 2u, 7u}) {
    Pool pool(threads);
    for (int step = 0; step < 300; ++step) {
      std::vector<int> done(50, 0);  // each item is written by one thread, and read after a barrier
      std::atomic<int> total{0};
      pool.run([&](unsigned) {
        pool.share(done.size(), [&](std::size_t i) { done[i] = int(i) + step; });
        pool.share(done.size(), [&](std::size_t i) { total += done[done.size() - 1 - i]; });
        pool.share(0, [&](std::size_t) { CHECK(false); });
      });
      CHECK(total == 50 * 49 / 2 + 50 * step);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // asleep by now
    std::atomic<unsigned> woken{0};
    pool.run([&](unsigned) { ++woken; });
    CHECK(woken == threads);
  }
}

void test_memory() {
  Rows rows({2, 2, 16, 2}, 6);
  std::mt19937 random(1);
  std::vector<std::vector<int>> expected(6);
  const auto mark = [&](std::size_t row, std::size_t at) -> std::byte& {
    return rows.block(row, at / kBlockPositions)[at % kBlockPositions];
  };
  for (int turn = 0; turn < 3000; ++turn) {
    const std::size_t row = random() % 6, other = random() % 6;
    switch (random() % 4) {
      case 0: rows.clear(row), expected[row].clear(); break;
      case 1: rows.reorder({row, other}, {other, row}), std::swap(expected[row], expected[other]); break;
      case 2: rows.reorder({row}, {other}), expected[row] = expected[other]; break;
      default: {
        const std::size_t first = random() % (expected[row].size() + 1), count = 1 + random() % 40;
        rows.extend(row, first, first + count);
        expected[row].resize(first);
        for (std::size_t at = first; at < first + count; ++at) {
          expected[row].push_back(int(random() % 250));
          mark(row, at) = std::byte(expected[row].back());
        }
      }
    }
    for (std::size_t each = 0; each < 6; ++each) {
      CHECK(rows.length(each) == expected[each].size());
      for (std::size_t at = 0; at < expected[each].size(); ++at)
        CHECK(int(mark(each, at)) == expected[each][at]);
    }
  }
  for (std::size_t row = 0; row < 6; ++row) rows.clear(row);
  CHECK(rows.store().used() == 0);
}

void test_halves() {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = to_float(Half{std::uint16_t(bits)});
    if (std::isnan(value)) continue;
    CHECK(to_half(value).bits == bits);
    const float next = to_float(Half{std::uint16_t(bits + 1)});
    if ((bits & 0x3ff) != 0x3ff && std::isfinite(next)) {
      const float middle = value + (next - value) * 0.5f;  // a tie goes to the even one
      CHECK(to_half(middle).bits == (bits & 1 ? bits + 1 : bits));
    }
  }
}

// Every other instruction set of this machine against the reference.
void test_kernels() {
  const Kernels& scalar = kernels("scalar");
  std::vector<const Kernels*> sets;
  for (const std::string& name : instruction_sets())
    if (name != scalar.name) sets.push_back(&kernels(name));
  const std::size_t products = test_products(sets, scalar);
  for (const Kernels* set : sets)
    std::printf("%s: %zu products, %zu others\n", set->name, products, FloatTest(*set, scalar).run());
}

// What is only a little wrong, or no number, in one kind, is not taken into use.
template <std::size_t kind>
void test_self_check(float fault) {
  static float added;
  added = fault;
  Kernels wrong = kernels("scalar");
  CHECK(repeats_scalar(wrong));
  wrong.product[kind] = [](const Product& p) {
    scalar_kernels().product[kind](p);
    if (p.rows == 16 && p.row == 48) p.out[(p.tokens - 1) * p.out_stride + p.rows - 1] += added;
  };
  CHECK(!repeats_scalar(wrong));
}

void test_self_checks() {
  test_self_check<0>(0.01f), test_self_check<1>(NAN), test_self_check<2>(1.0f);
  test_self_check<3>(-0.2f);
  Kernels wrong = kernels("scalar");
  wrong.product[2] = [](const Product& p) {
    scalar_kernels().product[2](p);
    if (p.tokens > 16) p.out[(p.tokens - 1) * p.out_stride] += 1.0f;  // as where only tiles are wrong
  };
  CHECK(!repeats_scalar(wrong));
  CHECK(refused_instruction_sets().empty());
}

// Greedy writing of some rows that start, fork and end; gives the ids.
std::vector<std::int32_t> write(Network& network, unsigned seed) {
  std::mt19937 random(seed);
  const auto memory = network.new_memory(3);
  std::vector<std::int32_t> ids, rows, positions, written;
  std::vector<float> logits(3 * network.logits_stride());
  for (std::int32_t row = 0; row < 3; ++row)
    for (std::int32_t at = 0; at < 5 + 9 * row; ++at) {
      ids.push_back(std::int32_t(random() % 70)), rows.push_back(row), positions.push_back(at);
    }
  for (int turn = 0; turn < 30; ++turn) {
    const auto wanted = std::make_unique<bool[]>(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) wanted[i] = i + 1 == ids.size() || rows[i] != rows[i + 1];
    Batch batch;
    batch.ids = ids, batch.rows = rows, batch.positions = positions;
    network.step(*memory, batch, {wanted.get(), ids.size()}, logits.data());
    std::vector<std::int32_t> last(3);
    for (std::size_t i = 0; i < ids.size(); ++i) last[std::size_t(rows[i])] = positions[i];
    if (turn == 10) memory->reorder({0, 1}, {2, 2}), last[0] = last[1] = last[2];
    ids.clear(), rows = {0, 1, 2}, positions.clear();
    for (std::size_t row = 0; row < 3; ++row) {
      const float* scores = logits.data() + row * network.logits_stride();
      ids.push_back(std::int32_t(std::max_element(scores, scores + 70) - scores));
      positions.push_back(last[row] + 1);
    }
    written.insert(written.end(), ids.begin(), ids.end());
  }
  return written;
}

void test_steps(const std::string& folder) {
  for (const Kind kind : {Kind::f32, Kind::bf16, Kind::int8, Kind::int4}) {
    const std::string path = folder + "/small.loquent";
    SmallModel(kind, small_settings()).write(path);
    const auto file = std::make_shared<const PackedFile>(path);
    for (const std::string& name : instruction_sets()) {
      Network one(file, small_settings(), 1, name), four(file, small_settings(), 4, name);
      for (unsigned seed = 0; seed < 2; ++seed) CHECK(write(one, seed) == write(four, seed));
    }
  }
}

// Texts of one token up to the longest, more than are read at once; each as if alone.
void test_texts(Network& one, Network& four, bool pooled) {
  std::mt19937 random(3);
  std::vector<std::int32_t> lengths, ids, segments;
  for (std::int32_t text = 0; text < 30; ++text) lengths.push_back(1 + std::int32_t(random() % 100));
  for (const std::int32_t length : lengths)
    for (std::int32_t at = 0; at < length; ++at)
      ids.push_back(std::int32_t(random() % 70)), segments.push_back(std::int32_t(random() % 2));
  const auto wanted = std::make_unique<bool[]>(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) wanted[i] = i % 3 == 0;
  Network::Texts texts{ids, lengths, segments, {}};
  if (!pooled) texts.wanted = {wanted.get(), ids.size()};
  const std::size_t stride = one.values_stride(), outputs = pooled ? 3 : 70;
  std::vector<float> values(one.values_count(texts) * stride), others(values), row(100 * stride);
  one.read(texts, values.data());
  four.read(texts, others.data());
  const float *all = values.data(), *again = others.data();
  std::size_t first = 0;
  for (std::size_t text = 0; text < lengths.size(); ++text) {
    const std::size_t length = std::size_t(lengths[text]);
    Network::Texts alone{texts.ids.subspan(first, length), texts.lengths.subspan(text, 1),
                         texts.segments.subspan(first, length), {}};
    if (!pooled) alone.wanted = texts.wanted.subspan(first, length);
    four.read(alone, row.data());
    const std::size_t count = four.values_count(alone);
    for (std::size_t i = 0; i < count; ++i, all += stride, again += stride)
      CHECK(std::equal(all, all + outputs, again) && std::equal(all, all + outputs, &row[i * stride]));
    first += length;
  }
}

// Sounds of one frame up to many, each as if alone; and what heads look at, by any number of threads.
void test_sounds(const std::string& folder) {
  const std::string path = folder + "/hearer.loquent";
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  std::vector<std::int32_t> lengths;
  std::size_t frames = 0;
  for (int sound = 0; sound < 40; ++sound) {
    lengths.push_back(1 + std::int32_t(random() % 199));
    frames += std::size_t(lengths.back());
  }
  std::vector<float> features(frames * 5);
  for (float& each : features) each = normal(random);
  for (const Kind kind : {Kind::f32, Kind::bf16, Kind::int8}) {
    SmallModel(kind, small_hearer(false)).write(path);
    auto file = std::make_shared<const PackedFile>(path);
    Network one(file, small_hearer(false), 1, ""), four(file, small_hearer(false), 4, "");
    Network::Texts sounds{{}, lengths, {}, {}, features};
    const std::size_t stride = one.values_stride();
    std::vector<float> values(one.values_count(sounds) * stride), others(values), row(100 * stride);
    one.read(sounds, values.data());
    four.read(sounds, others.data());
    CHECK(values == others);
    const float *all = values.data(), *at = features.data();
    for (std::size_t sound = 0; sound < lengths.size(); ++sound) {
      const std::size_t size = std::size_t(lengths[sound]) * 5;
      Network::Texts alone{{}, sounds.lengths.subspan(sound, 1), {}, {}, {at, size}};
      four.read(alone, row.data());
      const std::size_t count = four.values_count(alone) * stride;
      CHECK(std::equal(row.begin(), row.begin() + std::ptrdiff_t(count), all));
      all += count, at += size;
    }
    SmallModel(kind, small_hearer(true)).write(path);
    file = std::make_shared<const PackedFile>(path);
    const std::vector<std::int32_t> ids = {3, 9, 60, 1, 2};
    const std::vector<Watch::Head> heads = {{1, 3}, {0, 0}, {1, 3}};
    std::vector<float> seen[2];
    for (const unsigned threads : {1u, 4u}) {
      Network network(file, small_hearer(true), threads, "");
      const auto memory = network.new_memory(2);
      network.attach(*memory, 1, {{}, {features.data(), 151}});
      const std::size_t states = network.source_states(*memory, 1);
      CHECK(states == 76);
      std::vector<float>& out = seen[threads == 4];
      out.resize(heads.size() * ids.size() * states);
      network.align(*memory, 1, ids, heads, out.data());
      for (std::size_t token = 0; token < heads.size() * ids.size(); ++token) {
        float sum = 0.0f;
        for (std::size_t k = 0; k < states; ++k) sum += out[token * states + k];
        CHECK(std::fabs(sum - 1.0f) < 1e-4f);
      }
      CHECK(std::equal(out.begin(), out.begin() + std::ptrdiff_t(ids.size() * states),
                       out.begin() + std::ptrdiff_t(2 * ids.size() * states)));
    }
    CHECK(seen[0] == seen[1]);
  }
}

void test_reading(const std::string& folder) {
  for (const Kind kind : {Kind::f32, Kind::bf16, Kind::int8, Kind::int4})
    for (const bool pooled : {false, true}) {
      const std::string path = folder + "/reader.loquent";
      SmallModel(kind, small_reader(pooled)).write(path);
      const auto file = std::make_shared<const PackedFile>(path);
      for (const std::string& name : instruction_sets()) {
        Network one(file, small_reader(pooled), 1, name), four(file, small_reader(pooled), 4, name);
        test_texts(one, four, pooled);
      }
    }
}

}  // namespace loquent

int main(int count, char** words) {
  CHECK(count == 2);
  loquent::test_pool();
  loquent::test_memory();
  loquent::test_halves();
  loquent::test_kernels();
  loquent::test_self_checks();
  loquent::test_chains();
  loquent::test_mixers();
  loquent::test_leading();
  loquent::test_steps(words[1]);
  loquent::test_reading(words[1]);
  loquent::test_sounds(words[1]);
  std::puts("all passed");
}
