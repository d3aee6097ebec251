#include "compute/cpu/gemm.h"

#include <fmt/format.h>

#include <dnnl.hpp>
#include <map>
#include <mutex>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "compute/batch.h"
#include "compute/cpu/aligned.h"

extern "C" void omp_set_num_threads(int);  // of libgomp, on which Debian's libdnnl runs

namespace assay::compute {
namespace {

using dnnl::memory;

// Our tiles are the parallelism: oneDNN must stay on the calling thread.
void stay_on_this_thread() {
    thread_local const bool done = (omp_set_num_threads(1), true);
    static_cast<void>(done);
}

// rows, in, out, bias, accumulate
using Key = std::tuple<std::int64_t, std::int64_t, std::int64_t, bool, bool>;

dnnl::matmul::primitive_desc describe(const dnnl::engine& engine, const Key& key,
                                      const memory::desc& weights) {
    const auto [rows, in, out, bias, accumulate] = key;
    const memory::desc x({rows, in}, memory::data_type::f32, memory::format_tag::ab);
    const memory::desc y({rows, out}, memory::data_type::f32, memory::format_tag::ab);
    const memory::desc b =
        bias ? memory::desc({1, out}, memory::data_type::f32, memory::format_tag::ab) : memory::desc();
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (accumulate) {
        dnnl::post_ops sum;
        sum.append_sum(1.0f);
        attributes.set_post_ops(sum);
    }
#if DNNL_VERSION_MAJOR >= 3
    auto description = bias ? dnnl::matmul::primitive_desc(engine, x, weights, b, y, attributes)
                            : dnnl::matmul::primitive_desc(engine, x, weights, y, attributes);
#else
    const auto operation = bias ? dnnl::matmul::desc(x, weights, b, y) : dnnl::matmul::desc(x, weights, y);
    dnnl::matmul::primitive_desc description(operation, attributes, engine);
#endif
    const std::string implementation = description.impl_info_str();
    if (implementation.find("ref") != std::string::npos) {
        throw Error(
            fmt::format("oneDNN has only its reference kernel ({}) for a [{}, {}] x [{}, {}] f32 product on "
                        "this processor",
                        implementation, rows, in, in, out));
    }
    return description;
}

}  // namespace

struct PackedMatrix::Storage {
    AlignedFloats buffer;
    memory values;
};

PackedMatrix::PackedMatrix(std::unique_ptr<Storage> storage, std::int64_t out, std::int64_t in)
    : storage_(std::move(storage)), out_(out), in_(in) {}
PackedMatrix::~PackedMatrix() = default;
PackedMatrix::PackedMatrix(PackedMatrix&&) noexcept = default;
PackedMatrix& PackedMatrix::operator=(PackedMatrix&&) noexcept = default;

struct Gemm::State {
    struct Primitive {
        dnnl::matmul run;
        memory::desc scratchpad;
    };

    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    std::mutex mutex;
    std::map<Key, Primitive> primitives;
    std::map<std::pair<std::int64_t, std::int64_t>, memory::desc> layouts;  // packed layout by (in, out)
    std::vector<std::vector<std::byte>> free_scratchpads;

    memory::desc layout(std::int64_t in, std::int64_t out) {
        const std::lock_guard lock(mutex);
        auto found = layouts.find({in, out});
        if (found == layouts.end()) {
            const memory::desc any({in, out}, memory::data_type::f32, memory::format_tag::any);
            const auto description = describe(engine, {Batch::kTileRows, in, out, false, false}, any);
            found = layouts.emplace(std::pair(in, out), description.weights_desc()).first;
        }
        return found->second;
    }

    const Primitive& primitive(const Key& key, const memory::desc& weights) {
        const std::lock_guard lock(mutex);
        auto found = primitives.find(key);
        if (found == primitives.end()) {
            const auto description = describe(engine, key, weights);
            found =
                primitives.emplace(key, Primitive{dnnl::matmul(description), description.scratchpad_desc()})
                    .first;
        }
        return found->second;
    }

    std::vector<std::byte> take_scratchpad(std::size_t size) {
        std::vector<std::byte> pad;
        {
            const std::lock_guard lock(mutex);
            if (!free_scratchpads.empty()) {
                pad = std::move(free_scratchpads.back());
                free_scratchpads.pop_back();
            }
        }
        if (pad.size() < size + 64) pad.resize(size + 64);
        return pad;
    }

    void return_scratchpad(std::vector<std::byte> pad) {
        const std::lock_guard lock(mutex);
        free_scratchpads.push_back(std::move(pad));
    }
};

Gemm::Gemm() : state_(std::make_unique<State>()) {}
Gemm::~Gemm() = default;

std::string Gemm::version() {
    const dnnl_version_t* v = dnnl_version();
    return fmt::format("oneDNN {}.{}.{}", v->major, v->minor, v->patch);
}

PackedMatrix Gemm::pack(MatrixView<const float> w) {
    stay_on_this_thread();
    const memory::desc layout = state_->layout(w.cols(), w.rows());
    const memory::desc plain({w.cols(), w.rows()}, memory::data_type::f32, memory::dims{1, w.stride()});
    memory source(plain, state_->engine, const_cast<float*>(w.data()));
    AlignedFloats buffer =
        aligned_floats(static_cast<std::int64_t>((layout.get_size() + sizeof(float) - 1) / sizeof(float)));
    memory packed(layout, state_->engine, buffer.get());
    auto storage =
        std::make_unique<PackedMatrix::Storage>(PackedMatrix::Storage{std::move(buffer), std::move(packed)});
    dnnl::stream stream(state_->engine);
    dnnl::reorder(source, storage->values).execute(stream, source, storage->values);
    stream.wait();
    return {std::move(storage), w.rows(), w.cols()};
}

void Gemm::multiply(std::int64_t rows, const float* x, const PackedMatrix& w, const float* bias,
                    bool accumulate, float* y) {
    stay_on_this_thread();
    const memory& weights = w.storage().values;
    const auto& primitive =
        state_->primitive({rows, w.in(), w.out(), bias != nullptr, accumulate}, weights.get_desc());
    const dnnl::engine& engine = state_->engine;
    std::vector<std::byte> pad = state_->take_scratchpad(primitive.scratchpad.get_size());
    void* aligned = pad.data();
    std::size_t space = pad.size();
    std::align(64, primitive.scratchpad.get_size(), aligned, space);

    std::unordered_map<int, memory> arguments{
        {DNNL_ARG_SRC, memory({{rows, w.in()}, memory::data_type::f32, memory::format_tag::ab}, engine,
                              const_cast<float*>(x))},
        {DNNL_ARG_WEIGHTS, weights},
        {DNNL_ARG_DST, memory({{rows, w.out()}, memory::data_type::f32, memory::format_tag::ab}, engine, y)},
        {DNNL_ARG_SCRATCHPAD, memory(primitive.scratchpad, engine, aligned)}};
    if (bias != nullptr) {
        arguments.insert(
            {DNNL_ARG_BIAS, memory({{1, w.out()}, memory::data_type::f32, memory::format_tag::ab}, engine,
                                   const_cast<float*>(bias))});
    }
    dnnl::stream stream(engine);
    primitive.run.execute(stream, arguments);
    stream.wait();
    state_->return_scratchpad(std::move(pad));
}

}  // namespace assay::compute
