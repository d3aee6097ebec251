#include "treat/model_differences.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/error.h"
#include "model/architectures.h"
#include "model/rope.h"

namespace assay {
namespace {

// Numbers that GGUF keeps in f32 are the same as config.json's.
constexpr double kSame = 1e-6;

std::string number_difference(std::string_view name, double own, double reference) {
    return fmt::format("{} is {}, in the reference {}", name, own, reference);
}

std::optional<std::string> size_difference(const ModelConfig& own, const ModelConfig& reference) {
    constexpr std::pair<const char*, std::int64_t ModelConfig::*> kSizes[] = {
        {"vocabulary", &ModelConfig::vocabulary}, {"hidden", &ModelConfig::hidden},
        {"layers", &ModelConfig::layers},         {"intermediate", &ModelConfig::intermediate},
        {"heads", &ModelConfig::heads},           {"kv_heads", &ModelConfig::kv_heads},
        {"head_dim", &ModelConfig::head_dim}};
    for (const auto& [name, member] : kSizes) {
        if (own.*member != reference.*member)
            return fmt::format("{} is {}, in the reference {}", name, own.*member, reference.*member);
    }
    if (own.experts.count != reference.experts.count)
        return fmt::format("experts.count is {}, in the reference {}", own.experts.count,
                           reference.experts.count);
    if (own.tied_head != reference.tied_head)
        return fmt::format("its output layer is {} to the embedding, the reference's is {}",
                           own.tied_head ? "tied" : "not tied", own.tied_head ? "not" : "tied");
    return std::nullopt;
}

std::vector<std::pair<std::string, Shape>> tensors_of(const Model& model) {
    std::vector<std::pair<std::string, Shape>> all;
    for (const LinearItem& item : model.items()) all.push_back({item.name + ".weight", {item.out, item.in}});
    for (const std::string& name : model.vector_names()) all.push_back({name, model.weights().shape(name)});
    return all;
}

std::optional<std::string> tensor_difference(const Model& own, const Model& reference) {
    const auto ours = tensors_of(own), theirs = tensors_of(reference);
    for (std::size_t i = 0; i < std::max(ours.size(), theirs.size()); ++i) {
        if (i >= ours.size()) return theirs[i].first + " is in the reference only";
        if (i >= theirs.size()) return ours[i].first + " is not in the reference";
        if (ours[i].first != theirs[i].first)
            return fmt::format("it has {} where the reference has {}", ours[i].first, theirs[i].first);
        if (ours[i].second != theirs[i].second)
            return fmt::format("{} has shape {}, in the reference {}", ours[i].first,
                               to_string(ours[i].second), to_string(theirs[i].second));
    }
    return std::nullopt;
}

// ‖b - a‖² and ‖a‖².
struct Squares {
    double error = 0, reference = 0;

    void add(std::span<const float> a, std::span<const float> b, double offset = 0) {
        for (std::size_t i = 0; i < a.size(); ++i) {
            const double own = static_cast<double>(a[i]) + offset, d = static_cast<double>(b[i]) - a[i];
            error += d * d;
            reference += own * own;
        }
    }

    std::optional<double> relative() const {
        return reference > 0 ? std::optional(std::sqrt(error / reference)) : std::nullopt;
    }
};

constexpr std::int64_t kRowsAtOnce = 1024;

Squares compare(const Model& reference, const Model& other, const LinearItem& item) {
    Squares sums;
    for (std::int64_t first = 0; first < item.out; first += kRowsAtOnce) {
        const std::int64_t count = std::min(kRowsAtOnce, item.out - first);
        const Matrix<float> w = read_weight_rows(reference.weights(), item.name, first, count),
                            q = read_weight_rows(other.weights(), item.name, first, count);
        sums.add(w.values(), q.values());
    }
    reference.weights().release(item.name + ".weight");
    other.weights().release(item.name + ".weight");
    return sums;
}

std::map<std::string, std::string> stored_types(const Model& model) {
    std::map<std::string, std::string> types;
    for (const StoredTensor& t : model.weights().tensors()) types[t.name] = t.type;
    return types;
}

bool same_numbers(double a, double b) {
    return std::abs(a - b) <= kSame * std::max(std::abs(a), std::abs(b));
}

// Whether both rotate positions alike, however their files say it.
bool same_rope(const RopeConfig& a, const RopeConfig& b, std::int64_t positions) {
    const auto own = rope_variants(a, positions), reference = rope_variants(b, positions);
    if (own.size() != reference.size()) return false;
    for (std::size_t v = 0; v < own.size(); ++v) {
        const auto f = rope_frequencies(own[v].rope), g = rope_frequencies(reference[v].rope);
        const bool equal =
            f.size() == g.size() && std::equal(f.begin(), f.end(), g.begin(), [](float x, float y) {
                return std::abs(x - y) <= 1e-5f * std::max(std::abs(x), std::abs(y));
            });
        if (!equal || !same_numbers(own[v].rope.attention_factor, reference[v].rope.attention_factor))
            return false;
    }
    return true;
}

// The linears of one source, everything else of another.
class MixedWeights final : public WeightSource {
  public:
    MixedWeights(const Model& linears, const WeightSource& rest) : linears_(linears.weights()), rest_(rest) {
        for (const LinearItem& item : linears.items()) names_.insert(item.name + ".weight");
    }

    std::vector<StoredTensor> tensors() const override {
        std::vector<StoredTensor> all;
        for (const StoredTensor& t : linears_.tensors()) {
            if (names_.contains(t.name)) all.push_back(t);
        }
        for (const StoredTensor& t : rest_.tensors()) {
            if (!names_.contains(t.name)) all.push_back(t);
        }
        std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
        return all;
    }
    bool contains(std::string_view name) const override { return of(name).contains(name); }
    Shape shape(std::string_view name) const override { return of(name).shape(name); }
    std::string place(std::string_view name) const override { return of(name).place(name); }
    void read(std::string_view name, std::int64_t first_row, MatrixView<float> out) const override {
        of(name).read(name, first_row, out);
    }
    void fetch(std::string_view name) const override { of(name).fetch(name); }
    void release(std::string_view name) const override { of(name).release(name); }

  private:
    const WeightSource& of(std::string_view name) const {
        return names_.find(name) != names_.end() ? linears_ : rest_;
    }

    const WeightSource& linears_;
    const WeightSource& rest_;
    std::set<std::string, std::less<>> names_;
};

std::vector<BlockProgram> blocks_of(const Model& model) {
    std::vector<BlockProgram> blocks;
    for (std::int64_t b = 0; b < model.config().layers; ++b) blocks.push_back(model.block(b));
    return blocks;
}

}  // namespace

void expect_same_shapes(const Model& reference, const Model& other) {
    std::optional<std::string> difference = size_difference(other.config(), reference.config());
    if (!difference) difference = tensor_difference(other, reference);
    if (!difference) return;
    const std::string &own = other.config().architecture, &theirs = reference.config().architecture;
    throw FormatError(fmt::format(
        "{} ({}) cannot be compared with the reference {} ({}) tensor by tensor: {}; give the model that it "
        "was made from",
        other.path(), own, reference.path(), theirs, *difference));
}

std::vector<TensorDifference> linear_differences(const Model& reference, const Model& other,
                                                 const Engine& engine) {
    const auto& items = reference.items();
    std::vector<Squares> sums(items.size());
    engine.progress.begin("comparing weights", items.size());
    engine.pool.for_each(std::ssize(items), [&](std::int64_t i) {
        engine.cancel.check();
        sums[static_cast<std::size_t>(i)] = compare(reference, other, items[static_cast<std::size_t>(i)]);
    });
    engine.progress.advance(items.size());
    engine.progress.end();
    const auto types = stored_types(other);
    std::vector<TensorDifference> all;
    for (std::size_t i = 0; i < items.size(); ++i) {
        const std::string name = items[i].name + ".weight";
        const auto type = types.find(name);
        if (sums[i].error > 0)
            all.push_back({name, type == types.end() ? "" : type->second, sums[i].relative()});
    }
    return all;
}

std::vector<TensorDifference> vector_differences(const Model& reference, const Model& other) {
    const auto types = stored_types(other);
    std::vector<TensorDifference> all;
    for (const std::string& name : reference.vector_names()) {
        Squares sums;
        sums.add(read_vector(reference.weights(), name), read_vector(other.weights(), name),
                 name.ends_with(".bias") ? 0 : reference.config().norm_offset);
        const auto type = types.find(name);
        if (sums.error > 0) all.push_back({name, type == types.end() ? "" : type->second, sums.relative()});
    }
    return all;
}

std::vector<std::string> config_differences(const Model& reference, const Model& other) {
    const ModelConfig &own = other.config(), &theirs = reference.config();
    constexpr std::pair<const char*, double ModelConfig::*> kNumbers[] = {
        {"rms_eps", &ModelConfig::rms_eps},
        {"attention_scale", &ModelConfig::attention_scale},
        {"attention_softcap", &ModelConfig::attention_softcap},
        {"final_softcap", &ModelConfig::final_softcap},
        {"embedding_scale", &ModelConfig::embedding_scale},
        {"norm_offset", &ModelConfig::norm_offset}};
    std::vector<std::string> all;
    for (const auto& [name, member] : kNumbers) {
        if (!same_numbers(own.*member, theirs.*member))
            all.push_back(number_difference(name, own.*member, theirs.*member));
    }
    if (own.activation != theirs.activation) all.emplace_back("the activation is another one");
    if (own.layer != theirs.layer)
        all.emplace_back("some blocks attend to windows of other sizes, or have experts where others do not");
    if (own.experts.per_token != theirs.experts.per_token ||
        own.experts.renormalise != theirs.experts.renormalise)
        all.emplace_back("experts are chosen or weighted in another way");
    const std::int64_t positions = std::min(own.max_positions, theirs.max_positions);
    if (!same_rope(own.rope, theirs.rope, positions))
        all.emplace_back("positions are rotated by other angles");
    const bool local = std::any_of(own.layer.begin(), own.layer.end(),
                                   [](const LayerConfig& layer) { return layer.local_rope; });
    if (local && !same_rope(own.local_rope, theirs.local_rope, positions))
        all.emplace_back("positions of local blocks are rotated by other angles");
    return all;
}

Model with_other_rest(const Model& reference, const Model& other) {
    return {other.path(), other.config(), blocks_of(other),
            std::make_shared<MixedWeights>(reference, other.weights())};
}

}  // namespace assay
