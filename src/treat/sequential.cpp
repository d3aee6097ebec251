#include "treat/sequential.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "base/error.h"
#include "model/block_walk.h"
#include "treat/encoded_weights.h"

namespace assay {
namespace {

using Inputs = std::vector<SharedInput>;

class Sequential {
  public:
    Sequential(const Model& model, const Engine& engine, std::span<const EvaluationWindow> calibration,
               const SequentialOptions& options)
        : model_(model),
          engine_(engine),
          options_(options),
          one_by_one_(is_set(options.treatment, "true-sequential")),
          inputs_(shared_inputs(model, options.items)),
          walk_(model, engine, calibration),
          fisher_(model, engine, calibration, options.items),
          finished_(std::make_unique<EncodedFolder>(options.folder)) {}

    std::unique_ptr<EncodedFolder> run() {
        const std::int64_t last = inputs_.back().block;
        engine_.progress.begin(options_.treatment.method,
                               static_cast<std::uint64_t>(2 * walk_.rows() * (last + 1)));
        for (std::int64_t block = 0; block <= last; ++block) {
            if (!reopen(block)) finished_->keep(block, treat_block(block));
            if (block < last) walk_.advance(finished_.get());
        }
        engine_.progress.end();
        return std::move(finished_);
    }

  private:
    Inputs inputs_of(std::int64_t block) const {
        Inputs own;
        std::copy_if(inputs_.begin(), inputs_.end(), std::back_inserter(own),
                     [&](const SharedInput& input) { return input.block == block; });
        return own;
    }

    bool reopen(std::int64_t block) {
        std::vector<std::string> names;
        for (const SharedInput& input : inputs_of(block)) {
            for (std::size_t i : input.items) names.push_back(model_.items()[i].name);
        }
        if (!finished_->open(block, names, to_string(options_.treatment))) return false;
        engine_.progress.note(fmt::format("block {}: treated in an earlier run", block));
        engine_.progress.advance(static_cast<std::uint64_t>(walk_.rows()));
        return true;
    }

    std::size_t first_op(const SharedInput& input) const {
        return static_cast<std::size_t>(model_.items()[input.items.front()].op);
    }

    // How many inputs' linears must be treated one after the other before this one's: 0 where all are treated
    // on the block as it is.
    std::vector<int> levels_of(const Inputs& inputs, std::int64_t block) const {
        std::vector<int> levels(inputs.size(), 0);
        for (std::size_t i = 0; one_by_one_ && i < inputs.size(); ++i) {
            const std::size_t linear = first_op(inputs[i]);
            const auto before = operations_before(model_.block(block), std::span(&linear, 1));
            for (std::size_t j = 0; j < i; ++j) {
                for (std::size_t item : inputs[j].items) {
                    const auto op = static_cast<std::size_t>(model_.items()[item].op);
                    if (std::binary_search(before.begin(), before.end(), op))
                        levels[i] = std::max(levels[i], levels[j] + 1);
                }
            }
        }
        return levels;
    }

    // Inputs whose statistics are taken in one run of the block: of one level, as many as fit, and what is
    // searched together in any case.
    std::vector<Inputs> parts_of(std::int64_t block) {
        const Inputs inputs = inputs_for(options_.treatment, inputs_of(block), fisher_);
        const std::vector<int> levels = levels_of(inputs, block);
        const auto groups = searched_together(model_, options_.treatment, inputs);
        std::vector<Inputs> parts;
        for (int level = 0; std::find(levels.begin(), levels.end(), level) != levels.end(); ++level) {
            std::int64_t bytes = engine_.limits.head_bytes;  // a level begins a part
            for (const std::vector<std::size_t>& group : groups) {
                if (levels[group.front()] != level) continue;  // all of a group are of one
                const std::int64_t size = model_.items()[inputs[group.front()].items.front()].in;
                const std::int64_t own = compute::SymmetricMatrix::bytes(size) * std::ssize(group);
                bytes += own;
                if (bytes > engine_.limits.head_bytes) {
                    parts.emplace_back();
                    bytes = own;
                }
                for (std::size_t i : group) parts.back().push_back(inputs[i]);
            }
        }
        return parts;
    }

    std::vector<CalibratedWeight> treat_block(std::int64_t block) {
        std::vector<CalibratedWeight> treated;
        EncodedWeights so_far;
        for (const Inputs& part : parts_of(block)) {
            HessianTap tap(model_, engine_.backend, part);
            std::vector<std::size_t> linears;
            for (const SharedInput& input : part) linears.push_back(first_op(input));
            walk_.look(linears, one_by_one_ ? &so_far : nullptr,
                       [&](const LinearItem& item, const compute::Batch& rows, const compute::Tensor& input) {
                           tap.add(item, rows, input);
                       });
            for (CalibratedWeight& weight :
                 treat_together(model_, engine_, options_.treatment, tap.take(), fisher_)) {
                if (one_by_one_) so_far.add(weight);
                treated.push_back(std::move(weight));
            }
        }
        return treated;
    }

    const Model& model_;
    const Engine& engine_;
    const SequentialOptions& options_;
    bool one_by_one_;
    Inputs inputs_;
    BlockWalk walk_;
    FisherSource fisher_;
    std::unique_ptr<EncodedFolder> finished_;
};

}  // namespace

std::unique_ptr<EncodedFolder> treat_sequentially(const Model& model, const Engine& engine,
                                                  std::span<const EvaluationWindow> calibration,
                                                  const SequentialOptions& options) {
    expect_calibrated(options.treatment);
    if (calibration.empty()) throw InvalidArgument("a calibrated treatment needs calibration windows");
    if (options.items.empty()) throw InvalidArgument("a calibrated treatment needs linears to treat");
    return Sequential(model, engine, calibration, options).run();
}

}  // namespace assay
