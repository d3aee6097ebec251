#include "treat/sweep_totals.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "number/number_format.h"
#include "treat/weight_records.h"

namespace assay {
namespace {

constexpr std::int64_t kPlainBytes = 2;  // of a number in 16 bits

// What the model's numbers count up to.
struct ModelSize {
    explicit ModelSize(const Model& model) {
        for (const LinearItem& item : model.items()) matrices += item.out * item.in;
        for (const std::string& name : model.vector_names())
            vectors += element_count(model.weights().shape(name));
    }
    std::int64_t matrices = 0, vectors = 0;  // numbers
};

// The linears of a result that are treated together.
struct Treated {
    std::vector<const WeightsLinear*> linears;
    std::int64_t weights = 0;
    double squares = 0;  // Σ w²

    void add(const WeightsLinear& linear) {
        const auto n = linear.shape[0] * linear.shape[1];
        linears.push_back(&linear);
        weights += n;
        squares += static_cast<double>(n) * (linear.std * linear.std + linear.mean * linear.mean);
    }
    std::optional<double> relative(double squared_error) const {
        return squares > 0 ? std::optional(std::sqrt(squared_error / squares)) : std::nullopt;
    }
};

bool is_ragged(const WeightsLinear& linear, const std::string& format) {
    const auto integers = std::get<IntFormat>(parse_number_format(format));
    const std::int64_t group = integers.tile.columns;
    return group > 0 && linear.shape[1] % group != 0;
}

GroupSweepTotal group_total(const Treated& treated, const ModelSize& size, std::size_t f) {
    GroupSweepTotal total;
    double squares = 0, bits = 0;
    for (const WeightsLinear* linear : treated.linears) {
        const GroupSweepRow& row = (*linear->group_sweep)[f];
        const auto n = static_cast<double>(linear->shape[0] * linear->shape[1]);
        total.linears.format = row.format;
        total.linears.bytes += row.bytes;
        squares += n * row.rmse * row.rmse;
        bits += n * row.effective_bits;
        total.ragged_linears += is_ragged(*linear, row.format) ? 1 : 0;
    }
    const std::int64_t rest = size.matrices - treated.weights;
    total.linears.effective_bits = bits / static_cast<double>(treated.weights);
    total.linears.rmse = std::sqrt(squares / static_cast<double>(treated.weights));
    total.linears.relative_error = treated.relative(squares);
    total.average_bits =
        (bits + 8 * kPlainBytes * static_cast<double>(rest)) / static_cast<double>(size.matrices);
    total.model_bytes = total.linears.bytes + kPlainBytes * (rest + size.vectors);
    return total;
}

// Linears' outputs are of many sizes: each one's relative error counts alike.
ClipSweepRow clip_total(const Treated& treated, std::size_t s) {
    ClipSweepRow total;
    double output = 0, outputs = 0;
    for (const WeightsLinear* linear : treated.linears) {
        const ClipSweepRow& row = (*linear->clip_sweep)[s];
        total.format = row.format;
        total.clip = row.clip;
        total.percentile = row.percentile;
        total.clip_error += row.clip_error;
        total.rounding_error += row.rounding_error;
        total.total_error += row.total_error;
        total.clipped += row.clipped;
        if (!row.relative_output_error) continue;
        output += *row.relative_output_error * *row.relative_output_error;
        ++outputs;
    }
    total.relative_error = treated.relative(total.total_error);
    if (outputs > 0) total.relative_output_error = std::sqrt(output / outputs);
    return total;
}

void add_totals(const Model& model, const Treated& treated, WeightsResult& result) {
    if (treated.weights == 0) return;
    const WeightsLinear& first = *treated.linears.front();
    if (first.group_sweep) {
        const ModelSize size(model);
        auto& totals = result.group_sweep.emplace();
        for (std::size_t f = 0; f < first.group_sweep->size(); ++f)
            totals.push_back(group_total(treated, size, f));
    }
    if (!first.clip_sweep) return;
    auto& totals = result.clip_sweep.emplace();
    for (std::size_t s = 0; s < first.clip_sweep->size(); ++s) totals.push_back(clip_total(treated, s));
    mark_best(first.clip_sweep->back().format, totals);  // the last one is the treatment's own
}

// An infinite ratio: all weights but outliers are equal.
double stretch(const WeightsLinear& linear) {
    if (linear.range_ratio_4s) return *linear.range_ratio_4s;
    return linear.outliers->outliers_4s > 0 ? std::numeric_limits<double>::infinity() : 0;
}

std::string range_warning(const WeightsLinear& linear) {
    const double times = stretch(linear);
    return fmt::format(
        "{}: the {} weights beyond 4σ ({:.2g} %) make the range {} as wide; the largest is {:.3g}, {:.0f}σ",
        linear.name, linear.outliers->outliers_4s, 100 * linear.outlier_fraction_4s,
        std::isinf(times) ? "infinitely many times" : fmt::format("{:.1f} times", times),
        linear.outliers->outlier_magnitude, linear.max_abs / linear.std);
}

// The worst first.
void warn_of_ranges(const std::vector<WeightsLinear>& linears, double limit,
                    std::vector<std::string>& warnings) {
    std::vector<const WeightsLinear*> wide;
    for (const WeightsLinear& linear : linears) {
        if (stretch(linear) > limit) wide.push_back(&linear);
    }
    std::stable_sort(wide.begin(), wide.end(), [](const WeightsLinear* a, const WeightsLinear* b) {
        return stretch(*a) > stretch(*b);
    });
    for (const WeightsLinear* linear : wide) warnings.push_back(range_warning(*linear));
}

// One sentence for all linears that are quantized alike.
void warn_of_quantized(const std::vector<WeightsLinear>& linears, std::vector<std::string>& warnings) {
    std::map<std::string, std::pair<std::int64_t, std::string>> kinds;  // how many, and the first
    for (const WeightsLinear& linear : linears) {
        if (!linear.already_quantized) continue;
        const AlreadyQuantized& found = *linear.already_quantized;
        std::string kind;
        if (found.grid_bits) {
            kind = fmt::format("{}-bit, ", *found.grid_bits);
            kind += *found.grid_group == 0 ? "a grid for each row"
                                           : fmt::format("blocks of {}", *found.grid_group);
        }
        if (found.stored_type)
            kind += (kind.empty() ? "" : ", ") + fmt::format("stored as {}", *found.stored_type);
        auto& [count, first] = kinds[kind];
        if (count++ == 0) first = linear.name;
    }
    for (const auto& [kind, count] : kinds) {
        warnings.push_back(
            fmt::format("already quantized: {} ({} linear{}, such as {}); errors here are beside these "
                        "weights, not beside "
                        "those they were made from",
                        kind, count.first, count.first == 1 ? "" : "s", count.second));
    }
}

}  // namespace

void summarise(const Model& model, std::span<const std::size_t> items, double range_ratio_limit,
               WeightsResult& result) {
    Treated treated;
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (model.items()[items[i]].role == LinearItem::Role::kBlock) treated.add(result.linears[i]);
    }
    add_totals(model, treated, result);
    result.range_ratio_limit = range_ratio_limit;
    auto& warnings = result.warnings.emplace();
    warn_of_quantized(result.linears, warnings);
    warn_of_ranges(result.linears, range_ratio_limit, warnings);
}

}  // namespace assay
