// The timed operations behind predictions.
#include <algorithm>
#include <chrono>

#include "base/rng.h"
#include "measure/run_cost.h"
#include "model/prefetcher.h"

namespace assay {
namespace {

using compute::Batch;
using compute::Tensor;

// Seconds of one call: the fastest of as many as fit into 60 ms, at least two.
template <class Work>
double time_call(const Work& work) {
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    double best = 1e300;
    for (int i = 0; i < 2 || Clock::now() - begin < std::chrono::milliseconds(60); ++i) {
        const auto start = Clock::now();
        work();
        best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
    }
    return best;
}

Matrix<float> random_values(std::int64_t rows, std::int64_t cols) {
    Matrix<float> m(rows, cols);
    Rng rng(1);
    for (float& v : m.values()) v = static_cast<float>(rng.uniform() - 0.5);
    return m;
}

Tensor random_tensor(compute::Backend& backend, std::int64_t rows, std::int64_t cols) {
    Tensor t = backend.allocate(rows, cols);
    backend.upload(random_values(rows, cols).view(), t);
    return t;
}

// The largest linear of the first block, at most 32 M weights of it.
void time_linear(const Model& model, const Engine& engine, Rates& rates) {
    std::int64_t out = 1, in = 1;
    for (const LinearItem& item : model.items()) {
        if (item.block == 0 && item.out * item.in > out * in) {
            out = item.out;
            in = item.in;
        }
    }
    out = std::max<std::int64_t>(1, std::min(out, (std::int64_t{1} << 25) / in));
    const Matrix<float> w = random_values(out, in);
    std::unique_ptr<compute::PackedLinear> packed;
    const double pack = time_call([&] { packed = engine.backend.pack_linear(w.view(), {}); });
    rates.packed_elements =
        static_cast<double>(out * in) / pack * engine.pool.threads() / 2;  // decoding takes as long
    const std::int64_t rows = Batch::kTileRows * engine.pool.threads();
    const Tensor x = random_tensor(engine.backend, rows, in);
    Tensor y = engine.backend.allocate(rows, out);
    const double seconds = time_call([&] { engine.backend.linear(Batch({rows}), x, *packed, nullptr, y); });
    rates.linear_flops = 2 * static_cast<double>(rows) * static_cast<double>(out * in) / seconds;
}

void time_attention(const Model& model, const Engine& engine, std::int64_t tokens, Rates& rates) {
    const ModelConfig& c = model.config();
    const std::int64_t group = c.heads / c.kv_heads, kv = std::min<std::int64_t>(c.kv_heads, 2);
    const std::int64_t rows = std::min<std::int64_t>(tokens, 2048);
    const Tensor q = random_tensor(engine.backend, rows, kv * group * c.head_dim),
                 k = random_tensor(engine.backend, rows, kv * c.head_dim);
    Tensor out = engine.backend.allocate(rows, kv * group * c.head_dim);
    const compute::AttentionSpec spec{kv * group, kv, c.head_dim, c.attention_scale, 0, 0, {}};
    const double seconds = time_call([&] { engine.backend.attention(Batch({rows}), q, k, k, spec, out); });
    const auto n = static_cast<double>(rows);
    rates.attention_flops = 4 * n * (n + 1) / 2 * static_cast<double>(kv * group * c.head_dim) / seconds;
}

void time_head(const Model& model, const Engine& engine, Rates& rates) {
    const std::int64_t hidden = model.config().hidden,
                       vocabulary = std::min<std::int64_t>(model.config().vocabulary, 4096),
                       rows = Batch::kTileRows * engine.pool.threads();
    const auto head =
        engine.backend.pack_head(random_values(vocabulary, hidden).view(), model.config().final_softcap);
    const Tensor a = random_tensor(engine.backend, rows, hidden);
    const Batch batch({rows});
    const std::vector<std::int32_t> targets(static_cast<std::size_t>(rows), 0);
    const double seconds = time_call([&] {
        const auto scorer = engine.backend.make_scorer(batch, 2, targets);
        scorer->add(std::vector<compute::HeadInput>{{&a, head.get()}, {&a, head.get()}});
        scorer->finish();
    });
    rates.head_flops = 2 * 2 * static_cast<double>(rows) * static_cast<double>(vocabulary * hidden) / seconds;
}

void time_disk(const Model& model, Rates& rates) {
    double bytes = 0;
    const std::vector<std::string> names = block_tensor_names(model, model.config().layers - 1);
    const auto start = std::chrono::steady_clock::now();
    for (const StoredTensor& t : model.weights().tensors()) {
        if (std::find(names.begin(), names.end(), t.name) == names.end() || bytes > (64 << 20)) continue;
        model.weights().fetch(t.name);
        bytes += static_cast<double>(t.bytes);
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    rates.disk_bytes = bytes > 0 && seconds > 0 ? bytes / seconds : 1e12;
}

}  // namespace

Rates measure_rates(const Model& model, const Engine& engine, std::int64_t window_tokens) {
    Rates rates;
    time_linear(model, engine, rates);
    time_attention(model, engine, window_tokens, rates);
    time_head(model, engine, rates);
    time_disk(model, rates);
    return rates;
}

}  // namespace assay
