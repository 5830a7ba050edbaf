// The Python face of the native runtime: names and types only, no logic.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <algorithm>

#include "cpu.hpp"
#include "isa.hpp"
#include "maps_module.hpp"
#include "network.hpp"
#include "quantize.hpp"
#include "timing.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace loquent;

namespace {

using Ids = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Flags = nb::ndarray<const bool, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Bytes = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Floats = nb::ndarray<float, nb::numpy, nb::ndim<2>>;
using Weights = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <class T>
struct Owned {  // memory that a NumPy array takes over
  explicit Owned(std::size_t count) : data(new T[count]) {}
  T* data;
  nb::capsule capsule{data, [](void* p) noexcept { delete[] static_cast<T*>(p); }};
};

std::span<const std::int32_t> span(const Ids& ids) { return {ids.data(), ids.size()}; }

Floats step(Network& network, Memory& memory, const Ids& ids, const Ids& rows, const Ids& positions,
            const Flags& wanted) {
  if (rows.size() != ids.size() || positions.size() != ids.size() || wanted.size() != ids.size())
    throw std::invalid_argument("ids, rows, positions and wanted differ in length.");
  std::size_t count = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) count += wanted.data()[i];
  const std::size_t stride = network.logits_stride();
  Owned<float> logits(count * stride);
  {
    const nb::gil_scoped_release release;
    Batch batch;
    batch.ids = span(ids), batch.rows = span(rows), batch.positions = span(positions);
    network.step(memory, std::move(batch), {wanted.data(), wanted.size()}, logits.data);
  }
  return Floats(logits.data, {count, network.model().settings.vocabulary}, logits.capsule,
                {std::int64_t(stride), 1});
}

Network::Source source_of(const Network& network, const Weights& features) {
  if (!network.model().encoder || !network.model().settings.encoder.front.there())
    throw std::invalid_argument("the network reads no sound.");
  const std::size_t bins = network.model().settings.encoder.front.features;
  if (features.shape(1) != bins)
    throw std::invalid_argument("a frame has " + std::to_string(features.shape(1)) +
                                " features, but the network reads " + std::to_string(bins) + ".");
  if (!features.shape(0)) throw std::invalid_argument("the sound has no frames.");
  return {{}, {features.data(), features.shape(0)}};
}

Floats encode_source(Network& network, const Network::Source& source) {
  if (!network.model().encoder) throw std::invalid_argument("there is no encoder.");
  const std::size_t width = network.model().encoder->settings.width, count = network.states(source);
  Owned<float> out(count * width);
  {
    const nb::gil_scoped_release release;
    network.encode(source, out.data);
  }
  return Floats(out.data, {count, width}, out.capsule);
}

Floats encode(Network& network, const Ids& ids) { return encode_source(network, {span(ids), {}}); }

Floats encode_sound(Network& network, const Weights& features) {
  return encode_source(network, source_of(network, features));
}

nb::ndarray<float, nb::numpy, nb::ndim<3>> align(Network& network, Memory& memory, std::size_t row,
                                                 const Ids& ids, const std::vector<std::size_t>& layers,
                                                 const std::vector<std::size_t>& heads) {
  if (layers.size() != heads.size()) throw std::invalid_argument("layers and heads differ in number.");
  if (row >= memory.rows.count()) throw std::invalid_argument("there is no such row.");
  std::vector<Watch::Head> watched;
  for (std::size_t i = 0; i < heads.size(); ++i) watched.push_back({layers[i], heads[i]});
  const std::size_t states = network.source_states(memory, row);
  Owned<float> out(heads.size() * ids.size() * states);
  {
    const nb::gil_scoped_release release;
    network.align(memory, row, span(ids), watched, out.data);
  }
  return {out.data, {heads.size(), ids.size(), states}, out.capsule};
}

// A row of values for each text or each wanted token.
Floats values_of(Network& network, const Network::Texts& texts) {
  const std::size_t count = network.values_count(texts), stride = network.values_stride();
  const std::size_t width = network.model().settings.outputs ? network.model().settings.outputs : stride;
  Owned<float> values(count * stride);
  {
    const nb::gil_scoped_release release;
    network.read(texts, values.data);
  }
  return Floats(values.data, {count, width}, values.capsule, {std::int64_t(stride), 1});
}

Floats read_texts(Network& network, const Ids& ids, const Ids& lengths, const Ids& segments,
            const Flags& wanted) {
  if (segments.size() && segments.size() != ids.size())
    throw std::invalid_argument("ids and segments differ in length.");
  if (wanted.size() && wanted.size() != ids.size())
    throw std::invalid_argument("ids and wanted differ in length.");
  if (!network.model().settings.reads)
    throw std::invalid_argument("the network tells nothing of whole texts.");
  const Network::Texts texts{
      span(ids), span(lengths), span(segments), {wanted.data(), wanted.size()}, {}};
  return values_of(network, texts);
}

Floats read_sounds(Network& network, const Weights& features, const Ids& lengths) {
  source_of(network, features);
  if (!network.model().settings.reads)
    throw std::invalid_argument("the network tells nothing of whole sounds.");
  return values_of(network, {{}, span(lengths), {}, {}, {features.data(), features.size()}});
}

void attach(Network& network, Memory& memory, std::size_t row, const Ids& ids) {
  const nb::gil_scoped_release release;
  network.attach(memory, row, {span(ids), {}});
}

void attach_sound(Network& network, Memory& memory, std::size_t row, const Weights& features) {
  const Network::Source source = source_of(network, features);
  const nb::gil_scoped_release release;
  network.attach(memory, row, source);
}

nb::ndarray<std::uint8_t, nb::numpy, nb::ndim<1>> pack(const Weights& weights, std::uint32_t kind,
                                                       unsigned threads) {
  if (kind >= kKinds) throw std::invalid_argument("there is no such kind of matrix.");
  const std::size_t rows = weights.shape(0), columns = weights.shape(1);
  const std::size_t bytes = matrix_bytes(Kind(kind), rows, columns);
  Owned<std::uint8_t> out(bytes);
  {
    const nb::gil_scoped_release release;
    Pool pool(threads);
    pack_matrix(weights.data(), rows, columns, Kind(kind),
                reinterpret_cast<std::byte*>(out.data), pool);
  }
  return {out.data, {bytes}, out.capsule};
}

// One product by itself, for tests and measurements.
Floats multiply(const Weights& weights, std::uint32_t kind, const Weights& x,
                const std::string& instruction_set) {
  if (kind >= kKinds) throw std::invalid_argument("there is no such kind of matrix.");
  if (weights.shape(1) != x.shape(1)) throw std::invalid_argument("the widths differ.");
  const Kernels& table = kernels(instruction_set);
  Pool pool(1);
  Matrix m;
  m.kind = Kind(kind), m.rows = weights.shape(0), m.columns = round_up(x.shape(1), kGroup);
  Buffer<std::byte> packed, records;
  packed.reserve(matrix_bytes(m.kind, m.rows, m.columns));
  pack_matrix(weights.data(), m.rows, weights.shape(1), m.kind, packed.data(), pool);
  m.data = packed.data();
  const std::size_t tokens = x.shape(0), stride = m.padded_rows();
  records.reserve(tokens * code_stride(m.columns));
  std::vector<float> padded(m.columns);
  for (std::size_t token = 0; token < tokens; ++token) {
    std::copy_n(x.data() + token * x.shape(1), x.shape(1), padded.data());
    table.encode[kind](padded.data(), m.columns, records.data() + token * code_stride(m.columns));
  }
  Owned<float> out(tokens * stride);
  for (std::size_t row = 0; row < stride; row += kBlockRows)
    table.product[kind]({&m, row, kBlockRows, records.data(), tokens, out.data + row, stride, false});
  return Floats(out.data, {tokens, m.rows}, out.capsule, {std::int64_t(stride), 1});
}

std::vector<double> time_products(const Bytes& packed, std::uint32_t kind, std::size_t rows,
                                  std::size_t columns, std::size_t tokens, std::size_t copies,
                                  std::size_t products, std::size_t runs, unsigned threads,
                                  const std::string& instruction_set) {
  if (kind >= kKinds) throw std::invalid_argument("there is no such kind of matrix.");
  if (!tokens || !copies || !products) throw std::invalid_argument("there is nothing to time.");
  if (packed.size() != matrix_bytes(Kind(kind), rows, columns))
    throw std::invalid_argument("the packed matrix is of another size.");
  const Kernels& table = kernels(instruction_set);
  const nb::gil_scoped_release release;
  Pool pool(threads);
  return seconds_per_product({Kind(kind), rows, columns, tokens, copies, products, runs},
                             reinterpret_cast<const std::byte*>(packed.data()), table, pool);
}

void check_row(const Memory& memory, std::size_t row) {
  if (row >= memory.rows.count())
    throw std::invalid_argument("row " + std::to_string(row) + " is not one of the memory's " +
                                std::to_string(memory.rows.count()) + ".");
}

void bind_settings(nb::module_& module) {
  nb::enum_<Activation>(module, "Activation")
      .value("relu", Activation::relu)
      .value("gelu", Activation::gelu)
      .value("gelu_tanh", Activation::gelu_tanh)
      .value("silu", Activation::silu)
      .value("tanh", Activation::tanh);
  nb::enum_<Positions>(module, "Positions")
      .value("none", Positions::none)
      .value("learned", Positions::learned)
      .value("sinusoidal", Positions::sinusoidal)
      .value("sinusoidal_halves", Positions::sinusoidal_halves)
      .value("rotary", Positions::rotary)
      .value("relative", Positions::relative);
  nb::enum_<Pooling>(module, "Pooling")
      .value("first", Pooling::first)
      .value("last", Pooling::last)
      .value("mean", Pooling::mean)
      .value("max", Pooling::max);
  nb::class_<StackSettings> stack(module, "StackSettings");
  stack.def(nb::init<>());
#define FIELD(name) stack.def_rw(#name, &StackSettings::name)
  FIELD(layers), FIELD(width), FIELD(length), FIELD(heads), FIELD(kv_heads), FIELD(head_width);
  FIELD(feedforward), FIELD(memory_width), FIELD(segments), FIELD(causal), FIELD(cross);
  FIELD(gated), FIELD(attention_bias), FIELD(output_bias), FIELD(feedforward_bias), FIELD(rms);
  FIELD(norm_bias), FIELD(norm_first), FIELD(embedding_norm), FIELD(final_norm);
  FIELD(activation), FIELD(positions), FIELD(norm_epsilon), FIELD(attention_scale);
  FIELD(rotary_magnitude), FIELD(rotary_frequencies), FIELD(relative_buckets);
  FIELD(relative_bucket_count);
#undef FIELD
#define FIELD(name)                                                                       \
  stack.def_prop_rw("front_" #name, [](const StackSettings& s) { return s.front.name; }, \
                    [](StackSettings& s, decltype(FrontSettings::name) v) { s.front.name = v; })
  FIELD(features), FIELD(kernels), FIELD(strides), FIELD(activation);
#undef FIELD
  nb::class_<ModelSettings> model(module, "ModelSettings");
  model.def(nb::init<>());
#define FIELD(name) model.def_rw(#name, &ModelSettings::name)
  FIELD(vocabulary), FIELD(source_vocabulary), FIELD(has_encoder), FIELD(has_decoder);
  FIELD(encoder), FIELD(decoder), FIELD(tied), FIELD(shared), FIELD(head_bias);
  FIELD(embedding_scale), FIELD(logit_scale);
  FIELD(reads), FIELD(pooled), FIELD(pooling), FIELD(outputs);
  FIELD(head_hidden), FIELD(head_norm), FIELD(head_activation);
#undef FIELD
}

}  // namespace

NB_MODULE(_core, module) {
  module.doc() = "Loquent's native runtime.";
  module.attr("LAYOUT_VERSION") = kLayoutVersion;
  module.attr("HEAD_MULTIPLE") = kHeadMultiple;
  module.attr("BLOCK_ROWS") = kBlockRows;
  module.attr("PLAIN") = kPlain;
  nb::exception<FileError>(module, "FileError");
  bind_settings(module);
  bind_maps(module);
  bind_chain(module);
  bind_mixer(module);
  module.def("cpu_features", &cpu_features, "Instruction sets that this machine offers.");
  module.def("instruction_sets", &instruction_sets, "Those that the runtime can use here.");
  module.def("refused_instruction_sets", &refused_instruction_sets,
             "Those that this machine offers, but that fail the check against the scalar one.");
  module.def("pack_matrix", &pack, "weights"_a, "kind"_a, "threads"_a);
  module.def("multiply", &multiply, "weights"_a, "kind"_a, "x"_a, "instruction_set"_a);
  module.def("time_products", &time_products, "packed"_a, "kind"_a, "rows"_a, "columns"_a, "tokens"_a,
             "copies"_a, "products"_a, "runs"_a, "threads"_a, "instruction_set"_a);
  module.def("checksum", [](const Bytes& bytes) {
    return checksum({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
  }, "bytes"_a);
  nb::class_<PackedFile>(module, "PackedFile")
      .def(nb::init<const std::string&>(), "path"_a, nb::call_guard<nb::gil_scoped_release>())
      .def_prop_ro("description", [](const PackedFile& f) {
        return nb::bytes(f.description().data(), f.description().size());
      })
      .def_prop_ro("bytes", &PackedFile::bytes);
  nb::class_<Memory>(module, "Memory")
      .def("clear", [](Memory& m, std::size_t row) { check_row(m, row), m.clear(row); }, "row"_a)
      .def("reorder", [](Memory& m, const std::vector<std::size_t>& rows,
                         const std::vector<std::size_t>& sources) {
        if (rows.size() != sources.size())
          throw std::invalid_argument("rows and sources differ in number.");
        for (const std::size_t row : rows) check_row(m, row);
        for (const std::size_t row : sources) check_row(m, row);
        m.reorder(rows, sources);
      }, "rows"_a, "sources"_a)
      .def_prop_ro("used_blocks", [](const Memory& m) { return m.rows.store().used(); })
      .def_prop_ro("allocated_blocks", [](const Memory& m) { return m.rows.store().allocated(); });
  nb::class_<Network>(module, "Network")
      .def(nb::init<std::shared_ptr<const PackedFile>, ModelSettings, unsigned,
                    const std::string&>(),
           "file"_a, "settings"_a, "threads"_a, "instruction_set"_a = "")
      .def_prop_ro("instruction_set", &Network::instruction_set)
      .def_prop_ro("threads", &Network::threads)
      .def_prop_ro("position_bytes", &Network::position_bytes)
      .def("new_memory", &Network::new_memory, "rows"_a)
      .def("step", &step, "memory"_a, "ids"_a, "rows"_a, "positions"_a, "wanted"_a)
      .def("encode", &encode, "ids"_a)
      .def("encode_sound", &encode_sound, "features"_a)
      .def("read_sounds", &read_sounds, "features"_a, "lengths"_a)
      .def("attach_sound", &attach_sound, "memory"_a, "row"_a, "features"_a)
      .def("align", &align, "memory"_a, "row"_a, "ids"_a, "layers"_a, "heads"_a)
      .def("read", &read_texts, "ids"_a, "lengths"_a, "segments"_a, "wanted"_a)
      .def("attach", &attach, "memory"_a, "row"_a, "ids"_a);
}
