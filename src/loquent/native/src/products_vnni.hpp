// Products of a block's rows with some tokens, by processors that add four products of bytes to a sum at
// once (VNNI): one group of columns after the other, so that weights are read once and in order.
//
// Written once over a vector type. V holds V::Lanes::width numbers of 32 bits, or four times as many
// codes, and offers load, store, set (32 bits in every lane), flip (the sign bits of codes), low and high
// (halves of bytes), even and odd (upper halves of floats), floats (of whole numbers), total (of all lanes),
// and dot(sums, weights, x): sums + the products of four unsigned with four signed codes in each lane. A
// tile of several tokens has up to V::tile_vectors vectors of rows and V::tile_tokens tokens.
#pragma once

#include "products_vnni_float.hpp"
#include "products_vnni_int.hpp"

namespace loquent {

namespace {

constexpr std::size_t kFarAhead = 8;  // groups

// Codes in the order of the columns, and behind them a correction for each group. Weights of 8 bits are
// signed, but the first factor of the products is not: with the sign bit flipped it is weight + 128. The
// sum of the products is then too large by 128 times the sum of the group's codes, exactly.
template <class V>
[[maybe_unused]] void encode_int(const float* x, std::size_t columns, std::byte* record) {
  avx2_kernels().encode[std::size_t(Kind::int8)](x, columns, record);
  const std::byte* codes = record + code_values(columns);
  std::int32_t* corrections = reinterpret_cast<std::int32_t*>(record + code_values(columns) + columns);
  const V ones = V::set(0x01010101);
  for (std::size_t group = 0; group < columns / kGroup; ++group, codes += kGroup) {
    V sums = V::set(0);
    for (std::size_t i = 0; i < kGroup; i += sizeof(V)) sums = V::dot(sums, ones, V::load(codes + i));
    corrections[group] = -128 * sums.total();
  }
}

// Some tokens in tiles of about equal size, of at most so many.
struct Cut {
  Cut(std::size_t tokens, std::size_t most)
      : tiles((tokens + most - 1) / most), least(tokens / tiles), larger(tokens % tiles) {}

  std::size_t operator[](std::size_t tile) const { return least + (tile < larger); }

  const std::size_t tiles, least, larger;
};

// A tile of up to T tokens.
template <class Form, std::size_t T, std::size_t R, class... Stages>
[[gnu::always_inline]] inline void run_tile(std::size_t tokens, const Part& part, const Stages&... stage) {
  if (tokens == T) return Form::template run<T, R>(part, stage...);
  if constexpr (T > 1) run_tile<Form, T - 1, R>(tokens, part, stage...);
}

// All rows of a strip, R vectors and up to T tokens at a time: straight from the block or, with a stage, from
// there.
template <class Form, std::size_t T, std::size_t R, class... Stages>
void multiply_groups(Part part, std::size_t bytes, std::size_t rows, std::size_t tokens, Stages&... stage) {
  constexpr std::size_t tile_rows = R * Form::Lanes::width;
  const Cut cut(tokens, T);
  const std::size_t share = round_up(bytes * tile_rows / rows / cut.tiles, 64);
  for (; part.group < part.groups; ++part.group, part.weights += bytes) {
    (Form::prepare(part, stage), ...);
    const std::byte* ahead = part.weights + kFarAhead * bytes;
    Part tile = part;
    tile.share = share;
    for (std::size_t at = 0; at < rows; at += tile_rows, tile.row += tile_rows)
      for (std::size_t i = 0, token = 0; i < cut.tiles; token += cut[i++], ahead += share) {
        tile.ahead = ahead;
        if (sizeof...(stage) && at == 0)  // many tokens: whose next codes are in no near cache either
          for (std::size_t t = token; t < token + cut[i]; ++t) prefetch(part.codes(t) + kGroup, kGroup);
        tile.record = part.record + token * part.stride, tile.sums = part.sums + token * kBlockRows;
        run_tile<Form, T, R>(cut[i], tile, stage...);
      }
  }
}

// The rows of a strip, which fill R vectors.
template <class Form, std::size_t R>
void multiply_rows(const Part& part, std::size_t bytes, std::size_t rows, std::size_t tokens) {
  constexpr std::size_t T = Form::tile_tokens, fitting = R < Form::tile_vectors ? R : Form::tile_vectors;
  if (tokens == 1) return multiply_groups<Form, 1, R>(part, bytes, rows, tokens);
  if constexpr (requires(Stage& stage) { Form::prepare(part, stage); })
    if (tokens > 2 * T) {
      Stage stage;
      return multiply_groups<Form, T, fitting>(part, bytes, rows, tokens, stage);
    }
  multiply_groups<Form, T, fitting>(part, bytes, rows, tokens);
}

template <class Form>
void walk(Part part, std::size_t bytes, std::size_t rows, std::size_t tokens) {
  constexpr std::size_t width = Form::Lanes::width;
  switch (rows) {
    case 16: return multiply_rows<Form, 16 / width>(part, bytes, rows, tokens);
    case 32: return multiply_rows<Form, 32 / width>(part, bytes, rows, tokens);
    case 64: return multiply_rows<Form, 64 / width>(part, bytes, rows, tokens);
  }
}

template <class Form>
void product(const Product& p) {
  multiply_in_groups<typename Form::Lanes>(p, walk<Form>);
}

}  // namespace

}  // namespace loquent
