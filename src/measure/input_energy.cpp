#include "measure/input_energy.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "measure/runs.h"

namespace assay {
namespace {

class EnergyTap final : public Tap {
  public:
    EnergyTap(const Model& model, compute::Backend& backend, std::span<const std::size_t> items)
        : model_(model), backend_(backend) {
        for (std::size_t i : items) {
            const LinearItem& item = model.items().at(i);
            if (item.block < 0) throw InvalidArgument(item.name + " has no input inside a block");
            sums[i].assign(static_cast<std::size_t>(item.in), 0.0);
        }
    }

    void linear(const LinearItem& item, const compute::Batch& rows, const compute::Tensor& input,
                const compute::Tensor&) override {
        const auto found = sums.find(static_cast<std::size_t>(&item - model_.items().data()));
        if (found == sums.end()) return;
        Matrix<float> x(input.rows(), input.cols());
        backend_.download(input, x.view());
        for (std::int64_t w = 0; w < rows.windows(); ++w)
            add_window(x.view().row_range(rows.window_first_row(w), rows.window_rows(w)), found->second);
    }
    void block(std::int64_t, const TokenChunk&, const compute::Tensor&) override {}

    std::map<std::size_t, std::vector<double>> sums;

  private:
    // A window's own sum first, so that grouping leaves no trace.
    static void add_window(MatrixView<const float> x, std::vector<double>& total) {
        std::vector<double> own(total.size(), 0.0);
        for (std::int64_t r = 0; r < x.rows(); ++r) {
            for (std::size_t c = 0; c < own.size(); ++c) {
                const double v = x.row(r)[c];
                own[c] += v * v;
            }
        }
        for (std::size_t c = 0; c < own.size(); ++c) total[c] += own[c];
    }

    const Model& model_;
    compute::Backend& backend_;
};

}  // namespace

std::map<std::size_t, std::vector<double>> input_energies(const Model& model, const Engine& engine,
                                                          std::span<const EvaluationWindow> windows,
                                                          std::span<const std::size_t> items) {
    if (windows.empty()) throw InvalidArgument("input energies need windows");
    EnergyTap tap(model, engine.backend, items);
    const std::size_t group = windows_per_group(model, engine.backend, windows, 1, engine.limits.state_bytes);
    for (std::size_t first = 0; first < windows.size(); first += group) {
        const auto part = windows.subspan(first, std::min(group, windows.size() - first));
        run_pass(model, engine, make_chunks(part, engine.limits.chunk_rows), {.tap = &tap});
    }
    return std::move(tap.sums);
}

std::vector<std::int64_t> most_energetic(std::span<const double> energies, std::int64_t count) {
    std::vector<std::int64_t> order(energies.size());
    std::iota(order.begin(), order.end(), std::int64_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
        return energies[static_cast<std::size_t>(a)] > energies[static_cast<std::size_t>(b)];
    });
    order.resize(static_cast<std::size_t>(std::min<std::int64_t>(count, std::ssize(order))));
    std::sort(order.begin(), order.end());
    return order;
}

}  // namespace assay
