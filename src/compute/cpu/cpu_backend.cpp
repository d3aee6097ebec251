// The CPU backend: own kernels on fixed tiles over the thread pool.
#include "compute/cpu/cpu_backend.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "compute/cpu/cpu_features.h"
#include "compute/cpu/rounded_operand.h"
#include "compute/shape_checks.h"

namespace assay::compute {
namespace {

// Logits of a tile and a slice stay in the second-level cache.
constexpr std::int64_t kVocabularySlice = Backend::kHeadPartTokens;
constexpr std::int64_t kQueryRowsPerTask = 256;  // of attention: each task packs its keys anew

class CpuLinear final : public CpuOperand {
  public:
    CpuLinear(PackedMatrix w, std::span<const float> bias, Gemm& gemm)
        : matrix_(std::move(w)), bias_(bias.begin(), bias.end()), gemm_(gemm) {}
    std::int64_t out_features() const override { return matrix_.out; }
    std::int64_t in_features() const override { return matrix_.in; }
    void multiply(std::int64_t rows, const float* x, const float* residual, float* y) const override {
        gemm_.multiply(rows, x, matrix_, bias_.empty() ? nullptr : bias_.data(), residual, y);
    }

  private:
    PackedMatrix matrix_;
    std::vector<float> bias_;
    Gemm& gemm_;
};

const Kernels& choose_kernels(CpuKernels wanted) {
    return allows_avx512(wanted) && has_avx512() ? kAvx512Kernels : kAvx2Kernels;
}

// The rows of one tile, and the sums of all inputs for them.
struct HeadTile {
    HeadTile(std::size_t inputs, const Tile& t)
        : tile(t), sums(inputs * static_cast<std::size_t>(t.rows)), target_logits(sums.size()) {}
    Tile tile;
    std::vector<LogitSums> sums;  // input-major
    std::vector<float> target_logits;
};

// What a tile's rows amount to.
struct ActivationTile {
    void resize(std::size_t cols) {
        constexpr auto kPadding = static_cast<std::size_t>(ActivationTask::kPadding);
        const std::size_t padded = (cols + kPadding - 1) / kPadding * kPadding;
        floats.assign(2 * padded, 0.0f);
        energies.assign(cols, 0.0);
        task.cols = static_cast<std::int64_t>(cols);
        task.channel_max = floats.data();
        task.chain = floats.data() + padded;
        task.channel_energy = energies.data();
    }

    void add_to(ActivationSums& window) const {
        for (std::size_t c = 0; c < energies.size(); ++c) {
            window.channel_max[c] = std::max(window.channel_max[c], floats[c]);
            window.channel_energy[c] += energies[c];
        }
        window.sum += task.sum;
        window.magnitudes += task.magnitudes;
        window.cubes += task.cubes;
        window.fourths += task.fourths;
    }

    ActivationTask task;
    std::vector<float> floats;
    std::vector<double> energies;
};

}  // namespace

CpuBackend::CpuBackend(ThreadPool& pool, const CpuOptions& options)
    : pool_(pool),
      precision_(options.precision),
      kernels_(choose_kernels(options.kernels)),
      gemm_(options),
      outer_products_(pool, kernels_.gradients) {}

std::string CpuBackend::description() const {
    return precision_ == Precision::kF32 ? fmt::format("cpu f32 {}", gemm_.name())
                                         : fmt::format("cpu bf16 {} (f32 {})", gemm_.name(), kernels_.name);
}

Tensor CpuBackend::allocate(std::int64_t rows, std::int64_t cols) {
    return {rows, cols, std::make_unique<CpuBuffer>(rows * cols)};
}

void CpuBackend::upload(MatrixView<const float> values, Tensor& out) {
    check_host_shape("upload", out, values.rows(), values.cols());
    if (out.cols() == 0) return;  // no memory to copy from
    for (std::int64_t r = 0; r < out.rows(); ++r) {
        std::memcpy(data(out) + r * out.cols(), values.row(r).data(), values.row(r).size_bytes());
    }
}

void CpuBackend::download(const Tensor& tensor, MatrixView<float> out) const {
    check_host_shape("download", tensor, out.rows(), out.cols());
    if (out.cols() == 0) return;
    for (std::int64_t r = 0; r < out.rows(); ++r) {
        std::memcpy(out.row(r).data(), data(tensor) + r * out.cols(), out.row(r).size_bytes());
    }
}

void CpuBackend::copy_rows(const Tensor& in, std::int64_t in_row, Tensor& out, std::int64_t out_row,
                           std::int64_t rows) {
    check_copy_rows(in, in_row, out, out_row, rows);
    std::memcpy(data(out) + out_row * out.cols(), data(in) + in_row * in.cols(),
                static_cast<std::size_t>(rows * in.cols()) * 4);
}

std::unique_ptr<PackedLinear> CpuBackend::pack_linear(MatrixView<const float> w,
                                                      std::span<const float> bias) {
    if (!bias.empty() && static_cast<std::int64_t>(bias.size()) != w.rows())
        throw InvalidArgument("pack_linear: bias size");
    return std::make_unique<CpuLinear>(gemm_.pack(w), bias, gemm_);
}

std::unique_ptr<PackedLinear> CpuBackend::pack_rounded(const RoundedLinear& w, std::span<const float> bias) {
    check_rounded(w, bias);
    return std::make_unique<RoundedOperand>(w, bias, kernels_.rounding, gemm_, scratch_);
}

std::unique_ptr<PackedLinear> CpuBackend::pack_transposed(MatrixView<const float> w) {
    Matrix<float> transposed(w.cols(), w.rows());
    constexpr std::int64_t kBlock = 16;  // columns whose lines stay in the cache while rows go by
    for (std::int64_t first = 0; first < w.cols(); first += kBlock) {
        const std::int64_t end = std::min(first + kBlock, w.cols());
        for (std::int64_t r = 0; r < w.rows(); ++r) {
            for (std::int64_t c = first; c < end; ++c) transposed.view()(c, r) = w(r, c);
        }
    }
    return std::make_unique<CpuLinear>(gemm_.pack(transposed.view()), std::span<const float>{}, gemm_);
}

void CpuBackend::linear(const Batch& batch, const Tensor& x, const PackedLinear& w, const Tensor* residual,
                        Tensor& y) {
    check_linear(batch, x, w, residual, y);
    const auto& operand = static_cast<const CpuOperand&>(w);
    for_each_tile(batch.rows(), [&](const Tile& tile) {
        const std::int64_t first = tile.first_row * y.cols();
        operand.multiply(tile.rows, data(x) + tile.first_row * x.cols(),
                         residual != nullptr ? data(*residual) + first : nullptr, data(y) + first);
    });
}

void CpuBackend::rms_norm(const Batch& batch, const Tensor& x, const Tensor& weight, double eps,
                          const Tensor* residual, Tensor& y) {
    check_rms_norm(batch, x, weight, residual, y);
    const std::int64_t n = weight.cols();
    parallel_for(pool_, batch.rows() * (x.cols() / n), ceil_div(kElementsPerTask, n),
                 [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t i = begin; i < end; ++i) {
                         kernels_.rms_norm(data(x) + i * n, data(weight), n, eps,
                                           residual != nullptr ? data(*residual) + i * n : nullptr,
                                           data(y) + i * n);
                     }
                 });
}

void CpuBackend::attention(const Batch& batch, const Columns& q, const Columns& k, const Columns& v,
                           const AttentionSpec& spec, Tensor& out) {
    check_attention(batch, q, k, v, spec, out);
    std::vector<AttentionTask> tasks;
    for (std::int64_t w = 0; w < batch.windows(); ++w) {
        for (std::int64_t row = 0; row < batch.window_rows(w); row += kQueryRowsPerTask) {
            for (std::int64_t h = 0; h < spec.kv_heads; ++h) {
                AttentionTask task = attention_task(batch, w, h, q, k, v, spec);
                task.first_row = task.before + row;
                task.rows = std::min(kQueryRowsPerTask, task.rows - row);
                task.out_stride = out.cols();
                task.out = data(out) + task.own_row * out.cols() + h * task.group * spec.head_dim;
                tasks.push_back(task);
            }
        }
    }
    // Later rows see more keys: start with them, so that no thread is left alone with a long task.
    std::stable_sort(tasks.begin(), tasks.end(), [](const AttentionTask& a, const AttentionTask& b) {
        return a.first_row > b.first_row;
    });
    pool_.for_each(static_cast<std::int64_t>(tasks.size()), [&](std::int64_t i) {
        const AttentionTask& task = tasks[static_cast<std::size_t>(i)];
        ScratchPool::Block scratch = scratch_.take(kernels_.attention_scratch(task));
        kernels_.attention(task, scratch.floats.get());
        scratch_.put(std::move(scratch));
    });
}

void CpuBackend::gated(const Batch& batch, const Columns& gate, const Columns& up, Activation activation,
                       Tensor& y) {
    check_gated(batch, gate, up, y);
    const auto kernel = activation == Activation::kSilu ? kernels_.gated_silu : kernels_.gated_gelu_tanh;
    for_each_row(y,
                 [&](std::int64_t r) { kernel(row(gate, r), row(up, r), y.cols(), data(y) + r * y.cols()); });
}

Routing CpuBackend::route(const Batch& batch, const Tensor& logits, const RouteSpec& spec) {
    check_route(batch, logits, spec);
    return route_rows(batch, logits.cols(), spec, [&](std::int64_t r, std::span<double> out) {
        std::copy_n(data(logits) + r * logits.cols(), logits.cols(), out.begin());
    });
}

void CpuBackend::gather_rows(const Tensor& in, std::span<const std::int64_t> rows, Tensor& out) {
    check_gather_rows(in, rows, out);
    for_each_row(out, [&](std::int64_t r) {
        std::memcpy(data(out) + r * out.cols(), data(in) + rows[static_cast<std::size_t>(r)] * in.cols(),
                    static_cast<std::size_t>(in.cols()) * 4);
    });
}

void CpuBackend::combine_experts(const Batch& batch, const Routing& routing,
                                 std::span<const Tensor* const> outputs, const Tensor& residual, Tensor& y) {
    check_combine_experts(batch, routing, outputs, residual, y);
    const std::int64_t n = y.cols();
    // Experts follow each other; one expert's rows are different ones and may go in parallel.
    for_each_row(y, [&](std::int64_t r) { std::fill_n(data(y) + r * n, n, 0.0f); });
    for (std::size_t e = 0; e < outputs.size(); ++e) {
        const ExpertRows& expert = routing.experts[e];
        for_each_row(*outputs[e], [&](std::int64_t i) {
            kernels_.add_scaled(data(*outputs[e]) + i * n, n,
                                static_cast<float>(expert.weights[static_cast<std::size_t>(i)]),
                                data(y) + expert.rows[static_cast<std::size_t>(i)] * n);
        });
    }
    for_each_row(
        y, [&](std::int64_t r) { kernels_.add_scaled(data(residual) + r * n, n, 1.0f, data(y) + r * n); });
}

void CpuBackend::add_gated(const Batch& batch, const Tensor& x, const Tensor& gate, const Tensor& residual,
                           Tensor& y) {
    check_add_gated(batch, x, gate, residual, y);
    const std::int64_t n = y.cols();
    for_each_row(y, [&](std::int64_t r) {
        const auto weight = static_cast<float>(1 / (1 + std::exp(-static_cast<double>(data(gate)[r]))));
        std::memcpy(data(y) + r * n, data(residual) + r * n, static_cast<std::size_t>(n) * 4);
        kernels_.add_scaled(data(x) + r * n, n, weight, data(y) + r * n);
    });
}

std::vector<SquaredError> CpuBackend::squared_error(const Batch& batch, const Tensor& a, const Tensor& b) {
    check_same_shape("squared_error", batch, std::vector<const Tensor*>{&a, &b});
    std::vector<SquaredError> sums(static_cast<std::size_t>(batch.windows()));
    pool_.for_each(batch.windows(), [&](std::int64_t w) {
        SquaredError& sum = sums[static_cast<std::size_t>(w)];
        for (std::int64_t r = batch.window_first_row(w); r < batch.window_first_row(w) + batch.window_rows(w);
             ++r) {
            kernels_.squared_error(data(a) + r * a.cols(), data(b) + r * a.cols(), a.cols(), &sum.error,
                                   &sum.reference);
        }
    });
    return sums;
}

namespace {

// Runs of rows of one window each, window by window.
std::vector<Tile> runs_of_windows(const Batch& batch) {
    std::vector<Tile> runs;
    for (std::int64_t w = 0; w < batch.windows(); ++w) {
        for (std::int64_t r = 0; r < batch.window_rows(w); r += Batch::kTileRows)
            runs.push_back(
                {batch.window_first_row(w) + r, std::min(Batch::kTileRows, batch.window_rows(w) - r)});
    }
    return runs;
}

}  // namespace

std::vector<ActivationSums> CpuBackend::activation_sums(const Batch& batch, const Tensor& x) {
    check_same_shape("activation_sums", batch, std::vector<const Tensor*>{&x});
    const auto cols = static_cast<std::size_t>(x.cols());
    std::vector<ActivationSums> windows(static_cast<std::size_t>(batch.windows()));
    std::vector<float> row_max(static_cast<std::size_t>(batch.rows()));
    const std::vector<Tile> runs = runs_of_windows(batch);
    std::vector<ActivationTile> tiles(runs.size());
    pool_.for_each(std::ssize(tiles), [&](std::int64_t i) {
        const Tile tile = runs[static_cast<std::size_t>(i)];
        ActivationTile& own = tiles[static_cast<std::size_t>(i)];
        own.resize(cols);
        own.task.x = data(x) + tile.first_row * x.cols();
        own.task.rows = tile.rows;
        own.task.row_max = row_max.data() + tile.first_row;
        kernels_.activation_sums(&own.task);
    });
    std::size_t next = 0;
    for (std::int64_t w = 0; w < batch.windows(); ++w) {
        ActivationSums& out = windows[static_cast<std::size_t>(w)];
        out.channel_max.assign(cols, 0.0f);
        out.channel_energy.assign(cols, 0.0);
        const std::int64_t first = batch.window_first_row(w), end = first + batch.window_rows(w);
        out.row_max.assign(row_max.begin() + first, row_max.begin() + end);
        for (; next < tiles.size() && runs[next].first_row < end; ++next) tiles[next].add_to(out);
    }
    return windows;
}

std::unique_ptr<PackedHead> CpuBackend::pack_head(MatrixView<const float> w, double softcap) {
    auto head = std::make_unique<CpuHead>();
    head->rows = w.rows();
    head->cols = w.cols();
    head->softcap = softcap;
    std::vector<std::unique_ptr<PackedMatrix>> slices(
        static_cast<std::size_t>(ceil_div(w.rows(), kVocabularySlice)));
    parallel_for(pool_, w.rows(), kVocabularySlice, [&](std::int64_t begin, std::int64_t end) {
        slices[static_cast<std::size_t>(begin / kVocabularySlice)] =
            std::make_unique<PackedMatrix>(gemm_.pack(w.row_range(begin, end - begin)));
    });
    for (auto& slice : slices) head->slices.push_back(std::move(*slice));
    return head;
}

void CpuBackend::logits(const Batch& batch, const HeadInput& input, MatrixView<float> out) {
    check_logits(batch, input, out);
    const auto& head = static_cast<const CpuHead&>(*input.head);
    for_each_tile(batch.rows(), [&](const Tile& tile) {
        ScratchPool::Block block = scratch_.take(tile.rows * kVocabularySlice);
        std::int64_t first = 0;
        for (const PackedMatrix& slice : head.slices) {
            slice_logits(tile, input, slice, block.floats.get());
            for (std::int64_t r = 0; r < tile.rows; ++r) {
                std::memcpy(&out(tile.first_row + r, first), block.floats.get() + r * slice.out,
                            static_cast<std::size_t>(slice.out) * 4);
            }
            first += slice.out;
        }
        scratch_.put(std::move(block));
    });
}

AttentionTask CpuBackend::attention_task(const Batch& batch, std::int64_t window, std::int64_t kv_head,
                                         const Columns& q, const Columns& k, const Columns& v,
                                         const AttentionSpec& spec) {
    const auto before = batch.rows_before(window);
    const std::int64_t first = batch.window_first_row(window) - std::ssize(before);
    const std::int64_t group = spec.heads / spec.kv_heads;
    AttentionTask task;
    task.rows_before = before.data();
    task.before = std::ssize(before);
    task.own_row = first;
    task.q_stride = q.tensor->cols();
    task.k_stride = k.tensor->cols();
    task.v_stride = v.tensor->cols();
    task.q = row(q, first) + kv_head * group * spec.head_dim;
    task.k = row(k, first) + kv_head * spec.head_dim;
    task.v = row(v, first) + kv_head * spec.head_dim;
    if (const RotaryTable* table = rotary_table(spec, batch.positions(window))) {
        task.cosines = data(*table->cosines);
        task.sines = data(*table->sines);
        task.half = table->cosines->cols();
    }
    task.head_dim = spec.head_dim;
    task.group = group;
    task.rows = batch.window_rows(window);
    task.window = spec.window > 0 ? spec.window : batch.positions(window);
    task.scale = static_cast<float>(spec.scale);
    task.softcap = static_cast<float>(spec.softcap);
    return task;
}

void CpuBackend::slice_logits(const Tile& tile, const HeadInput& input, const PackedMatrix& slice,
                              float* out) {
    gemm_.multiply(tile.rows, data(*input.hidden) + tile.first_row * input.hidden->cols(), slice, nullptr,
                   nullptr, out);
    const double cap = static_cast<const CpuHead&>(*input.head).softcap;
    if (cap > 0) kernels_.softcap(out, tile.rows * slice.out, static_cast<float>(cap));
}

class CpuScorer final : public TokenScorer {
  public:
    CpuScorer(CpuBackend& backend, const Batch& batch, std::size_t inputs,
              std::span<const std::int32_t> targets)
        : backend_(backend), batch_(batch), inputs_(inputs), targets_(targets.begin(), targets.end()) {
        for (const Tile& tile : row_tiles(batch.rows(), backend.pool_.threads()))
            tiles_.emplace_back(inputs, tile);
    }

    // Walks the part slice by slice: the reference's logits once, each variant's against them.
    void add(std::span<const HeadInput> inputs) override {
        check_head_inputs(batch_, inputs, inputs_);
        backend_.pool_.for_each(static_cast<std::int64_t>(tiles_.size()), [&](std::int64_t i) {
            add_tile(tiles_[static_cast<std::size_t>(i)], inputs);
        });
        first_ += static_cast<std::int32_t>(inputs[0].head->vocabulary());
    }

    std::vector<TokenScores> finish() override {
        check_targets_seen(targets_, first_);
        std::vector<TokenScores> scores(inputs_);
        for (std::size_t i = 0; i < inputs_; ++i) {
            scores[i].log_sum.resize(targets_.size());
            scores[i].nll.resize(targets_.size());
            scores[i].kl.resize(targets_.size());
            scores[i].top1.resize(targets_.size());
            for (const HeadTile& tile : tiles_) finish_tile(tile, i, scores[i]);
        }
        return scores;
    }

  private:
    void add_tile(HeadTile& sums, std::span<const HeadInput> inputs) {
        const Tile& tile = sums.tile;
        const std::int64_t area = tile.rows * kVocabularySlice;
        ScratchPool::Block block = backend_.scratch_.take(3 * area);
        float *reference = block.floats.get(), *exponentials = reference + area,
              *variant = exponentials + area;
        const std::size_t slices = static_cast<const CpuHead&>(*inputs[0].head).slices.size();
        std::int32_t first = first_;
        for (std::size_t s = 0; s < slices; ++s) {
            std::int64_t n = 0;
            for (std::size_t i = 0; i < inputs.size(); ++i) {
                const PackedMatrix& slice = static_cast<const CpuHead&>(*inputs[i].head).slices[s];
                n = slice.out;
                float* own = i == 0 ? reference : variant;
                backend_.slice_logits(tile, inputs[i], slice, own);
                for (std::int64_t r = 0; r < tile.rows; ++r)
                    add_row(r, i, n, first, reference + r * n, exponentials + r * n, own + r * n, sums);
            }
            first += static_cast<std::int32_t>(n);
        }
        backend_.scratch_.put(std::move(block));
    }

    // One row of a slice of input i.
    void add_row(std::int64_t r, std::size_t i, std::int64_t n, std::int32_t first, const float* reference,
                 float* exponentials, const float* own, HeadTile& tile_sums) {
        const Kernels& kernels = backend_.kernels_;
        const Tile& tile = tile_sums.tile;
        const std::size_t row = i * static_cast<std::size_t>(tile.rows) + static_cast<std::size_t>(r);
        LogitSums& sums = tile_sums.sums[row];
        kernels.add_logits(own, n, first, &sums, i == 0 && inputs_ > 1 ? exponentials : nullptr);
        if (i > 0) {
            kernels.add_divergence(exponentials, reference, own, n,
                                   tile_sums.sums[static_cast<std::size_t>(r)].rescale, &sums.weighted);
        }
        const std::int64_t target = targets_[static_cast<std::size_t>(tile.first_row + r)] - first;
        if (target >= 0 && target < n) tile_sums.target_logits[row] = own[target];
    }

    static void finish_tile(const HeadTile& tile_sums, std::size_t i, TokenScores& scores) {
        const Tile& tile = tile_sums.tile;
        const auto lse = [](const LogitSums& s) { return static_cast<double>(s.max) + std::log(s.sum); };
        for (std::int64_t r = 0; r < tile.rows; ++r) {
            const std::size_t row = i * static_cast<std::size_t>(tile.rows) + static_cast<std::size_t>(r);
            const LogitSums& own = tile_sums.sums[row];
            const LogitSums& reference = tile_sums.sums[static_cast<std::size_t>(r)];
            const auto out = static_cast<std::size_t>(tile.first_row + r);
            scores.log_sum[out] = lse(own);
            scores.nll[out] = lse(own) - static_cast<double>(tile_sums.target_logits[row]);
            scores.kl[out] = i == 0 ? 0.0 : own.weighted / reference.sum - (lse(reference) - lse(own));
            scores.top1[out] = own.top1;
        }
    }

    CpuBackend& backend_;
    const Batch& batch_;
    std::size_t inputs_;
    std::vector<std::int32_t> targets_;
    std::vector<HeadTile> tiles_;
    std::int32_t first_ = 0;  // token of the next part
};

std::unique_ptr<TokenScorer> CpuBackend::make_scorer(const Batch& batch, std::size_t inputs,
                                                     std::span<const std::int32_t> targets) {
    check_scorer(batch, inputs, targets);
    return std::make_unique<CpuScorer>(*this, batch, inputs, targets);
}

std::unique_ptr<Backend> make_cpu_backend(ThreadPool& pool, const CpuOptions& options) {
    return std::make_unique<CpuBackend>(pool, options);
}

}  // namespace assay::compute
