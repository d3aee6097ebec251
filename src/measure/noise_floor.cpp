#include "measure/noise_floor.h"

#include <algorithm>
#include <cmath>

namespace assay {
namespace {

// KL of two rows of logits that come by in parts (online softmax, as compute::LogitSums).
struct RowDivergence {
    double max_a = -INFINITY, sum_a = 0, weighted = 0, max_b = -INFINITY, sum_b = 0;

    void add(std::span<const float> a, std::span<const float> b) {
        for (std::size_t i = 0; i < a.size(); ++i) {
            const auto x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
            if (x > max_a) {
                const double rescale = std::exp(max_a - x);
                sum_a *= rescale;
                weighted *= rescale;
                max_a = x;
            }
            if (y > max_b) {
                sum_b *= std::exp(max_b - y);
                max_b = y;
            }
            const double p = std::exp(x - max_a);
            sum_a += p;
            weighted += p * (x - y);
            sum_b += std::exp(y - max_b);
        }
    }
    double kl() const { return weighted / sum_a - (max_a + std::log(sum_a)) + (max_b + std::log(sum_b)); }
};

}  // namespace

double measure_noise_floor(const Model& model, const Engine& own, compute::Backend& other,
                           std::span<const EvaluationWindow> windows) {
    const TokenWindow& first = windows.front().tokens;
    const auto count = std::min<std::ptrdiff_t>(std::ssize(first), kNoiseTokens + 1);
    const std::vector<TokenWindow> window{TokenWindow(first.begin(), first.begin() + count)};
    const auto chunks = make_chunks(window, 0, count);
    const Engine exact{other, own.pool, own.progress, own.cancel, own.limits};
    const PassResult a = run_pass(model, exact, chunks, {}), b = run_pass(model, own, chunks, {});
    const HeadReader head_a(a.reference.head, other), head_b(b.reference.head, own.backend);
    std::vector<RowDivergence> rows(static_cast<std::size_t>(chunks[0].scored.rows()));
    constexpr std::int64_t kPart = 4 * compute::Backend::kHeadPartTokens;
    for (std::int64_t token = 0; token < model.config().vocabulary; token += kPart) {
        const std::int64_t n = std::min(kPart, model.config().vocabulary - token);
        Matrix<float> x(chunks[0].scored.rows(), n), y(chunks[0].scored.rows(), n);
        other.logits(chunks[0].scored, {&a.reference.chunks[0], head_a.part(token, n).get()}, x.view());
        own.backend.logits(chunks[0].scored, {&b.reference.chunks[0], head_b.part(token, n).get()}, y.view());
        own.pool.for_each(std::ssize(rows),
                          [&](std::int64_t r) { rows[static_cast<std::size_t>(r)].add(x.row(r), y.row(r)); });
        own.cancel.check();
    }
    double sum = 0;
    for (const RowDivergence& row : rows) sum += row.kl();
    return std::max(0.0, sum / static_cast<double>(rows.size()));
}

}  // namespace assay
