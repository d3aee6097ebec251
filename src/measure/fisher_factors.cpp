#include "measure/fisher_factors.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "measure/label_draws.h"
#include "measure/treatment_scores.h"
#include "model/reverse_pass.h"

namespace assay {
namespace {

// Rows of the chunk, ascending, as a batch of its windows.
compute::Batch batch_of(const compute::Batch& chunk, std::span<const std::int64_t> rows) {
    std::vector<std::int64_t> counts(static_cast<std::size_t>(chunk.windows()), 0);
    std::size_t next = 0;
    for (std::int64_t w = 0; w < chunk.windows(); ++w) {
        const std::int64_t end = chunk.window_first_row(w) + chunk.window_rows(w);
        for (; next < rows.size() && rows[next] < end; ++next) ++counts[static_cast<std::size_t>(w)];
    }
    return compute::Batch(std::move(counts));
}

class FisherTap final : public GradientTap {
  public:
    FisherTap(const Model& model, const Engine& engine, const TokenChunk& chunk,
              std::vector<FisherFactor>& factors)
        : model_(model), engine_(engine), chunk_(chunk), factors_(factors) {}

    void head(std::int64_t, const compute::Tensor&, const compute::Tensor&) override {}
    void embedding(const compute::Tensor&) override {}

    void linear(const LinearItem& item, std::span<const std::int64_t> rows, const compute::Tensor&,
                const compute::Tensor& g_output) override {
        const auto index = static_cast<std::size_t>(&item - model_.items().data());
        const auto found = std::find_if(factors_.begin(), factors_.end(),
                                        [&](const FisherFactor& factor) { return factor.item == index; });
        if (found == factors_.end() || g_output.rows() == 0) return;  // an expert may get no position
        std::vector<double> norms = norms_of(g_output);
        if (rows.empty()) keep(norms, found->weights);
        if (found->output.size() == 0) return;
        for (double& norm : norms) norm = norm > 0 ? 1 / norm : 0;
        engine_.backend.add_gram(rows.empty() ? chunk_.rows : batch_of(chunk_.rows, rows), g_output, norms,
                                 found->output);
        engine_.cancel.check();
    }

  private:
    std::vector<double> norms_of(const compute::Tensor& g) const {
        Matrix<float> values(g.rows(), g.cols());
        engine_.backend.download(g, values.view());
        std::vector<double> norms;
        for (std::int64_t r = 0; r < values.rows(); ++r) {
            double sum = 0;
            for (const float v : values.row(r)) sum += static_cast<double>(v) * static_cast<double>(v);
            norms.push_back(std::sqrt(sum));
        }
        return norms;
    }

    void keep(std::span<const double> norms, PositionWeights& weights) const {
        for (std::int64_t w = 0; w < chunk_.rows.windows(); ++w) {
            const auto first = norms.begin() + chunk_.rows.window_first_row(w);
            weights.emplace_back(first, first + chunk_.rows.window_rows(w));
        }
    }

    const Model& model_;
    const Engine& engine_;
    const TokenChunk& chunk_;
    std::vector<FisherFactor>& factors_;
};

}  // namespace

std::vector<FisherFactor> measure_fisher_factors(const Model& model, const Engine& engine,
                                                 std::span<const EvaluationWindow> windows,
                                                 std::span<const std::size_t> items, std::uint64_t seed,
                                                 FisherParts parts) {
    if (windows.empty() || items.empty()) throw InvalidArgument("Fisher factors need windows and linears");
    std::vector<FisherFactor> factors;
    std::int64_t first_block = model.config().layers;
    for (std::size_t i : items) {
        const LinearItem& item = model.items().at(i);
        if (item.block < 0) throw InvalidArgument(item.name + ": Fisher factors are of linears of blocks");
        factors.push_back({i, compute::SymmetricMatrix(parts == FisherParts::kAll ? item.out : 0), {}});
        first_block = std::min(first_block, item.block);
    }
    const std::int64_t rows = score_chunk_rows(model, engine.backend, engine.limits, windows);
    for (const TokenChunk& chunk : make_chunks(windows, rows)) {
        FisherTap tap(model, engine, chunk, factors);
        run_reverse_pass(model, engine, chunk, label_uniforms(chunk, seed, chunk.first_window), tap,
                         first_block);
    }
    return factors;
}

}  // namespace assay
