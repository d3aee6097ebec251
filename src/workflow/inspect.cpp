// The verb inspect: what a model's files hold.
#include <fmt/format.h>

#include <map>

#include "base/error.h"
#include "workflow/session.h"
#include "workflow/workflow.h"

namespace assay {
namespace {

std::string scaling_name(RopeConfig::Scaling scaling) {
    switch (scaling) {
        case RopeConfig::Scaling::kNone:
            return "none";
        case RopeConfig::Scaling::kLinear:
            return "linear";
        case RopeConfig::Scaling::kLlama3:
            return "llama3";
        case RopeConfig::Scaling::kYarn:
            return "yarn";
        case RopeConfig::Scaling::kLongrope:
            return "longrope";
    }
    return "";
}

ConfigSummary summarize(const ModelConfig& c) {
    return {c.hidden,
            c.intermediate,
            c.layers,
            c.heads,
            c.kv_heads,
            c.head_dim,
            c.vocabulary,
            c.max_positions,
            c.tied_head,
            c.rope.theta,
            scaling_name(c.rope.scaling)};
}

void add_tensors(const WeightSource& weights, InspectResult& result) {
    std::map<std::string, DtypeTotal> totals;
    for (const StoredTensor& t : weights.tensors()) {
        const std::int64_t elements = element_count(t.shape);
        result.tensors.push_back({t.name, t.type, t.shape, static_cast<std::int64_t>(t.bytes)});
        result.parameters += elements;
        result.bytes += static_cast<std::int64_t>(t.bytes);
        DtypeTotal& total = totals[t.type];
        total.dtype = t.type;
        ++total.tensors;
        total.parameters += elements;
        total.bytes += static_cast<std::int64_t>(t.bytes);
    }
    for (auto& [type, total] : totals) result.dtype_totals.push_back(std::move(total));
}

// Norms and biases: small, but one NaN there spoils every token.
void check_vectors(const Model& model, InspectResult& result) {
    for (const std::string& name : model.vector_names()) {
        try {
            read_vector(model.weights(), name);
        } catch (const Error& e) {
            result.warnings.push_back(e.what());
        }
    }
}

// Reads every item once: damaged and already quantized weights show.
void check_weights(Session& session, InspectResult& result) {
    const Model& model = session.model();
    std::map<std::string, int> quantized;
    std::map<std::string, std::string> quantized_types;
    for (const StoredTensor& t : model.weights().tensors()) {
        if (t.quantized) quantized_types[t.name] = t.type;
    }
    const Engine engine = session.engine();
    std::uint64_t total = 0;
    for (const LinearItem& item : model.items()) total += static_cast<std::uint64_t>(item.out * item.in);
    engine.progress.begin("checking weights", total);
    for (const LinearItem& item : model.items()) {
        const auto type = quantized_types.find(item.name + ".weight");
        if (type != quantized_types.end()) ++quantized[type->second];
        try {
            read_weight(model.weights(), item.name);
        } catch (const Error& e) {
            result.warnings.push_back(e.what());
        }
        engine.progress.advance(static_cast<std::uint64_t>(item.out * item.in));
        engine.cancel.check();
    }
    engine.progress.end();
    for (const auto& [type, count] : quantized) {
        result.warnings.push_back(fmt::format(
            "{} linears are already quantized ({}): damage measured from here adds to what that did; "
            "use the original weights where you can",
            count, type));
    }
}

}  // namespace

Envelope inspect_model(const ModelOptions& options, Progress& progress, const CancelToken& cancel) {
    Session session(options, progress, cancel);
    InspectResult result;
    result.path = session.files().path.string();
    result.format = session.files().format;
    result.architecture = session.files().architecture;
    add_tensors(*session.files().weights, result);
    try {
        result.architecture = session.model().config().architecture;
        result.config = summarize(session.model().config());
        result.linear_count = static_cast<std::int64_t>(session.model().items().size());
        check_weights(session, result);
        check_vectors(session.model(), result);
    } catch (const Unsupported& e) {
        result.warnings.push_back(e.what());
    }
    return session.finish(std::move(result));
}

}  // namespace assay
