#include "treat/fisher_source.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace assay {
namespace {

// Added to the seed: other labels than those that scores of the same run are drawn with.
constexpr std::uint64_t kLabelSeed = 1;

// The walk through the blocks has the bar; notes still get through.
class NotesOnly final : public Progress {
  public:
    explicit NotesOnly(Progress& progress) : progress_(progress) {}
    void begin(std::string_view, std::uint64_t) override {}
    void advance(std::uint64_t) override {}
    void end() override {}
    void note(std::string_view line) override { progress_.note(line); }

  private:
    Progress& progress_;
};

}  // namespace

FisherSource::FisherSource(const Model& model, const Engine& engine,
                           std::span<const EvaluationWindow> windows, std::span<const std::size_t> items,
                           std::uint64_t seed, FisherParts parts)
    : model_(model),
      engine_(engine),
      windows_(windows),
      items_(items.begin(), items.end()),
      seed_(seed),
      parts_(parts) {
    std::stable_sort(items_.begin(), items_.end(), [&](std::size_t a, std::size_t b) {
        return model.items().at(a).block < model.items().at(b).block;
    });
}

const FisherFactor& FisherSource::of(std::size_t item) {
    if (const FisherFactor* factor = find(item)) return *factor;
    const std::vector<std::size_t> items = items_from(model_.items().at(item).block);
    if (std::find(items.begin(), items.end(), item) == items.end())
        throw InvalidArgument(model_.items()[item].name + " is not among the linears to treat");
    engine_.progress.note(fmt::format("blocks {} to {}: gradients on the calibration windows",
                                      model_.items()[items.front()].block,
                                      model_.items()[items.back()].block));
    factors_.clear();
    NotesOnly notes(engine_.progress);
    const Engine quiet{engine_.backend, engine_.pool,  notes,        engine_.cancel,
                       engine_.limits,  engine_.meter, engine_.parts};
    factors_ = measure_fisher_factors(model_, quiet, windows_, items, seed_ + kLabelSeed, parts_);
    return *find(item);
}

const FisherFactor* FisherSource::find(std::size_t item) const {
    const auto found = std::find_if(factors_.begin(), factors_.end(),
                                    [&](const FisherFactor& factor) { return factor.item == item; });
    return found == factors_.end() ? nullptr : &*found;
}

std::vector<std::size_t> FisherSource::items_from(std::int64_t block) const {
    std::vector<std::size_t> items;
    std::int64_t bytes = 0, last = block;  // block whose items are being taken
    const auto own_bytes = [&](const LinearItem& item) {
        return parts_ == FisherParts::kAll ? compute::SymmetricMatrix::bytes(item.out) : 0;
    };
    for (std::size_t i : items_) {
        const LinearItem& item = model_.items()[i];
        if (item.block < block) continue;
        if (item.block > last) {
            std::int64_t own = 0;
            for (std::size_t j : items_) {
                if (model_.items()[j].block == item.block) own += own_bytes(model_.items()[j]);
            }
            if (bytes + own > engine_.limits.head_bytes) break;
            last = item.block;
        }
        bytes += own_bytes(item);
        items.push_back(i);
    }
    return items;
}

FisherParts fisher_parts(std::span<const Treatment> treatments) {
    const bool all = std::any_of(treatments.begin(), treatments.end(),
                                 [](const Treatment& t) { return method_of(t).gradients; });
    return all ? FisherParts::kAll : FisherParts::kWeights;
}

}  // namespace assay
