#include "treat/weight_errors.h"

#include "quantize/reconstruction.h"
#include "stats/moments.h"
#include "treat/treatment_overlay.h"

namespace assay {
namespace {

void add_moments(std::span<const float> values, ThreadPool& pool, WeightsLinear& out) {
    const Moments m = moments(values, pool);
    out.mean = m.mean;
    out.std = m.std;
    out.min = static_cast<double>(m.min);
    out.max = static_cast<double>(m.max);
    out.max_abs = static_cast<double>(m.max_abs);
    const Outliers three = outliers(values, m, 3, pool), four = outliers(values, m, 4, pool);
    out.outlier_fraction_3s = three.fraction;
    out.outlier_fraction_4s = four.fraction;
    out.outlier_fraction_6s = outliers(values, m, 6, pool).fraction;
    if (m.max == m.min) return;  // a constant has no range to be wasted
    out.range_ratio = three.range_ratio;
    out.range_ratio_4s = four.range_ratio;
    out.quantization_waste = three.quantization_waste();
}

void add_errors(const ReconstructionError& e, WeightsLinear& out) {
    out.frobenius_error = e.frobenius;
    if (out.max_abs > 0) out.relative_error = e.relative;
    out.max_abs_error = e.max_abs;
    out.mean_abs_error = e.mean_abs;
    out.sqnr_db = e.sqnr_db;
}

WeightsLinear measure_item(const Model& model, const LinearItem& item, const Treatment& treatment,
                           ThreadPool& pool) {
    const Matrix<float> w = read_weight(model.weights(), item.name);
    Matrix<float> treated = w;
    apply_treatment(treatment, item, treated.view(), pool);
    WeightsLinear out;
    out.name = item.name;
    out.shape = {item.out, item.in};
    out.treatment = to_string(treatment);
    out.effective_bits = storage_size(treatment.format, item.out, item.in).effective_bits();
    add_moments(w.values(), pool, out);
    add_errors(reconstruction_error(w.view(), treated.view(), pool), out);
    return out;
}

}  // namespace

WeightsResult measure_weight_errors(const Model& model, std::span<const std::size_t> items,
                                    const Treatment& treatment, const Engine& engine) {
    std::uint64_t total = 0;
    const auto elements = [&](std::size_t i) {
        return static_cast<std::uint64_t>(model.items()[i].out * model.items()[i].in);
    };
    for (std::size_t i : items) total += elements(i);
    engine.progress.begin("weights", total);
    WeightsResult result;
    for (std::size_t i : items) {
        result.linears.push_back(measure_item(model, model.items()[i], treatment, engine.pool));
        engine.progress.advance(elements(i));
        engine.cancel.check();
    }
    engine.progress.end();
    return result;
}

}  // namespace assay
