#include "analyze/weight_findings.h"

#include <fmt/format.h>

#include "base/error.h"

namespace assay {
namespace {

std::string joined(const std::vector<std::string>& parts) {
    std::string text;
    for (const std::string& p : parts) text += (text.empty() ? "" : "; ") + p;
    return text;
}

// What is stored less without the dead channels.
std::int64_t bytes_without_dead(const LinearItem& item, const Treatment& treatment, const WeightNumerics& n) {
    return storage_size(treatment.format, item.out - n.dead_outputs, item.in - n.dead_inputs).total_bytes() -
           storage_size(treatment.format, item.out, item.in).total_bytes();
}

Finding numerics_finding(const LinearItem& item, const Treatment& treatment, const WeightNumerics& n) {
    std::vector<std::string> facts, fixes;
    if (n.dead_outputs > 0)
        facts.push_back(fmt::format("{} of {} output channels are all zeros", n.dead_outputs, item.out));
    if (n.dead_inputs > 0)
        facts.push_back(fmt::format("{} of {} input channels are all zeros", n.dead_inputs, item.in));
    if (!facts.empty()) fixes.push_back("remove the dead channels");
    if (n.f16_overflows > 0) {
        facts.push_back(fmt::format("{} weights are too large for float16", n.f16_overflows));
        fixes.push_back("store and run in bfloat16");
    }
    if (n.subnormal_scales > 0) {
        facts.push_back(fmt::format("{} of {} groups have scales below float16's normal numbers",
                                    n.subnormal_scales, n.groups));
        fixes.push_back("scales in bfloat16 or float32");
    }
    Finding out{.linear = item.name, .treatment = to_string(treatment), .cause = "numerics"};
    if (n.dead_outputs + n.dead_inputs > 0) out.bytes = bytes_without_dead(item, treatment, n);
    out.evidence.sentence = joined(facts) + ".";
    out.evidence.numbers = {{"dead_outputs", n.dead_outputs},         {"dead_inputs", n.dead_inputs},
                            {"f16_overflows", n.f16_overflows},       {"groups", n.groups},
                            {"subnormal_scales", n.subnormal_scales}, {"zero_groups", n.zero_groups}};
    out.remedy = joined(fixes);
    return out;
}

Finding quantized_finding(const LinearItem& item, const Treatment& treatment, const WeightVerdict& verdict) {
    Finding out{.linear = item.name, .treatment = to_string(treatment), .cause = "already_quantized"};
    std::vector<std::string> facts;
    if (!verdict.stored_type.empty()) {
        facts.push_back("the weights are stored as " + verdict.stored_type);
        out.evidence.numbers["stored_type"] = verdict.stored_type;
    }
    if (const auto& grid = verdict.grid) {
        const std::string groups =
            grid->group == 0 ? "of each output channel" : fmt::format("in groups of {}", grid->group);
        facts.push_back(fmt::format("the weights lie on a {}-bit grid {} ({:.3g} % of the groups)",
                                    grid->bits, groups, 100 * grid->share));
        out.evidence.numbers["grid_bits"] = grid->bits;
        out.evidence.numbers["grid_group"] = grid->group;
        out.evidence.numbers["grid_share"] = grid->share;
        out.evidence.numbers["grid_holds_zero"] = grid->holds_zero;
    }
    out.evidence.sentence = joined(facts) + ".";
    out.remedy = "quantize the original weights";
    return out;
}

}  // namespace

WeightVerdict look_at_weight(const Model& model, ThreadPool& pool, const LinearItem& item,
                             const Treatment& treatment) {
    WeightVerdict verdict;
    const Matrix<float> w = read_weight(model.weights(), item.name);
    try {
        verdict.numerics = check_numerics(w.view(), treatment.format, pool);
    } catch (const NumericError& e) {
        throw NumericError(item.name + ": " + e.what());
    }
    verdict.grid = find_grid(w.view(), pool);
    for (const StoredTensor& t : model.weights().tensors()) {
        if (t.quantized && t.name == item.name + ".weight") verdict.stored_type = t.type;
    }
    return verdict;
}

std::vector<Finding> weight_findings(const LinearItem& item, const Treatment& treatment,
                                     const WeightVerdict& verdict) {
    std::vector<Finding> out;
    const WeightNumerics& n = verdict.numerics;
    if (n.dead_outputs + n.dead_inputs + n.f16_overflows + n.subnormal_scales > 0)
        out.push_back(numerics_finding(item, treatment, n));
    if (verdict.grid || !verdict.stored_type.empty())
        out.push_back(quantized_finding(item, treatment, verdict));
    return out;
}

}  // namespace assay
