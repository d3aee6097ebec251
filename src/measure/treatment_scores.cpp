#include "measure/treatment_scores.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "measure/label_draws.h"
#include "measure/scores.h"
#include "measure/window_groups.h"
#include "model/reverse_pass.h"

namespace assay {
namespace {

using compute::Tensor;

constexpr std::int64_t kMostRows = 8192;  // of one chunk: changes of weights are made once a chunk

// Which block of positions each row of the chunk belongs to.
struct BlockMap {
    std::vector<ScoreBlock> blocks;
    std::vector<std::size_t> of_row;   // of all rows
    std::vector<std::int64_t> scored;  // the chunk's row of each scored row
};

BlockMap map_blocks(const TokenChunk& chunk) {
    BlockMap map;
    map.scored = chunk.scored_rows;
    for (std::int64_t w = 0; w < chunk.rows.windows(); ++w) {
        for (std::int64_t r = 0; r < chunk.rows.window_rows(w); ++r) {
            if (r % kScorePositions == 0) map.blocks.push_back({w, r});
            map.of_row.push_back(map.blocks.size() - 1);
        }
    }
    return map;
}

// Runs of rows of one block, for rows that are not all of the chunk's (`rows`), or are (empty).
struct Segments {
    std::vector<compute::RowSegment> rows;
    std::vector<std::size_t> blocks;

    Segments(const BlockMap& map, std::span<const std::int64_t> chunk_rows, std::int64_t count) {
        for (std::int64_t r = 0; r < count; ++r) {
            const auto row =
                static_cast<std::size_t>(chunk_rows.empty() ? r : chunk_rows[static_cast<std::size_t>(r)]);
            if (blocks.empty() || blocks.back() != map.of_row[row]) {
                blocks.push_back(map.of_row[row]);
                rows.push_back({r, 0});
            }
            ++rows.back().count;
        }
    }

    // The same rows in runs of one window, which weigh each row by its block's sum.
    std::vector<WeightedRows> windows(const BlockMap& map, const std::vector<double>& sums) const {
        std::vector<WeightedRows> runs;
        for (std::size_t s = 0; s < rows.size(); ++s) {
            if (s == 0 || map.blocks[blocks[s]].window != map.blocks[blocks[s - 1]].window)
                runs.push_back({rows[s].first, {}});
            runs.back().weights.insert(runs.back().weights.end(), static_cast<std::size_t>(rows[s].count),
                                       sums[blocks[s]]);
        }
        return runs;
    }
};

void square(Matrix<float>& m) {
    for (float& v : m.values()) v *= v;
}

Tensor squared(compute::Backend& backend, const Tensor& tensor) {
    Matrix<float> values(tensor.rows(), tensor.cols());
    backend.download(tensor, values.view());
    square(values);
    Tensor out = backend.allocate(tensor.rows(), tensor.cols());
    backend.upload(values.view(), out);
    return out;
}

// Changes that treatments make to a weight, or to some `rows` of it (empty: all).
class Changes {
  public:
    Changes(const Engine& engine, const LinearItem& item, const std::vector<const WeightOverlay*>& treatments,
            std::vector<std::int64_t> rows = {})
        : engine_(engine), item_(item), treatments_(treatments), rows_(std::move(rows)) {}

    void square_changes() { squares_ = true; }

    Matrix<float> change(const Matrix<float>& w, std::size_t treatment) const {
        Matrix<float> changed = w;
        if (rows_.empty())
            treatments_[treatment]->apply(item_, changed.view());
        else
            treatments_[treatment]->apply_rows(item_, rows_, changed.view());
        for (std::size_t i = 0; i < w.values().size(); ++i) changed.values()[i] -= w.values()[i];
        if (squares_) square(changed);
        return changed;
    }

    // Sums of `segments` for all treatments, added to sums[treatment][block]; as many at a time as fit.
    void add_dots(const Matrix<float>& w, const Segments& segments, const Tensor& g, const Tensor& x,
                  std::vector<std::vector<double>*>& sums) const {
        const std::int64_t bytes = 2 * 4 * w.rows() * w.cols();
        const auto fit =
            static_cast<std::size_t>(std::max<std::int64_t>(1, engine_.limits.head_bytes / bytes));
        std::vector<std::size_t> weight_only;
        for (std::size_t f = 0; f < treatments_.size(); ++f) {
            if (!treatments_[f]->rounds_inputs()) weight_only.push_back(f);
        }
        for (std::size_t first = 0; first < weight_only.size(); first += fit) {
            const std::size_t count = std::min(fit, weight_only.size() - first);
            std::vector<std::unique_ptr<compute::PackedChange>> packed(count);
            engine_.pool.for_each(static_cast<std::int64_t>(count), [&](std::int64_t i) {
                const auto k = static_cast<std::size_t>(i);
                packed[k] = engine_.backend.pack_change(change(w, weight_only[first + k]).view());
            });
            std::vector<const compute::PackedChange*> changes;
            for (const auto& p : packed) changes.push_back(p.get());
            const Matrix<double> dots = engine_.backend.change_dots(segments.rows, g, x, changes);
            for (std::size_t k = 0; k < count; ++k) {
                for (std::int64_t s = 0; s < dots.rows(); ++s)
                    (*sums[weight_only[first + k]])[segments.blocks[static_cast<std::size_t>(s)]] +=
                        dots.view()(s, static_cast<std::int64_t>(k));
            }
        }
    }

    // The same of the treatments that round inputs: Σ_t ⟨g_t, f(x_t) - w x_t⟩, in double.
    void add_rounded_dots(const Matrix<float>& w, const Segments& segments, const Tensor& g, const Tensor& x,
                          std::vector<std::vector<double>*>& sums) const {
        Matrix<float> gradient, own, other;
        for (std::size_t f = 0; f < treatments_.size(); ++f) {
            if (!treatments_[f]->rounds_inputs()) continue;
            if (own.rows() == 0) {
                gradient = Matrix<float>(g.rows(), g.cols());
                engine_.backend.download(g, gradient.view());
                own = output(*engine_.backend.pack_linear(w.view(), {}), x);
            }
            other = output(*engine_.backend.pack_rounded(treatments_[f]->rounded(item_, w.view()), {}), x);
            engine_.pool.for_each(std::ssize(segments.rows), [&](std::int64_t s) {
                const auto [first, count] = segments.rows[static_cast<std::size_t>(s)];
                double dot = 0;
                for (std::int64_t i = first * own.cols(); i < (first + count) * own.cols(); ++i) {
                    const auto place = static_cast<std::size_t>(i);
                    dot += static_cast<double>(gradient.values()[place]) *
                           (static_cast<double>(other.values()[place]) -
                            static_cast<double>(own.values()[place]));
                }
                (*sums[f])[segments.blocks[static_cast<std::size_t>(s)]] += dot;
            });
        }
    }

  private:
    Matrix<float> output(const compute::PackedLinear& operation, const Tensor& x) const {
        Tensor y = engine_.backend.allocate(x.rows(), operation.out_features());
        engine_.backend.linear(compute::Batch({x.rows()}), x, operation, nullptr, y);
        Matrix<float> values(y.rows(), y.cols());
        engine_.backend.download(y, values.view());
        return values;
    }

    const Engine& engine_;
    const LinearItem& item_;
    const std::vector<const WeightOverlay*>& treatments_;
    std::vector<std::int64_t> rows_;
    bool squares_ = false;
};

// Scores one chunk's windows.
class ChunkScores final : public GradientTap {
  public:
    ChunkScores(const Model& model, const Engine& engine, const TokenChunk& chunk,
                const ScoreOptions& options)
        : model_(model), engine_(engine), chunk_(chunk), options_(options), map_(map_blocks(chunk)) {
        for (std::size_t i = 0; i < options.items.size(); ++i)
            index_[&model.items()[options.items[i]]] = i * options.treatments.size();
        for (std::size_t i = 0; i < options.attributed.size(); ++i)
            attributed_[&model.items()[options.attributed[i]]] = i * options.treatments.size();
        parts_.resize(options.attributed.size() * options.treatments.size());
        sums_.assign(options.items.size() * options.treatments.size(),
                     std::vector<double>(map_.blocks.size(), 0.0));
    }

    void linear(const LinearItem& item, std::span<const std::int64_t> rows, const Tensor& input,
                const Tensor& g_output) override {
        auto sums = sums_of(item);
        if (sums.empty() || input.rows() == 0) return;
        const Matrix<float> w = read_weight(model_.weights(), item.name);
        model_.weights().release(item.name + ".weight");
        Changes changes(engine_, item, options_.treatments);
        const Segments segments(map_, rows, input.rows());
        if (options_.random_signs) {
            changes.square_changes();
            changes.add_dots(w, segments, squared(engine_.backend, g_output), squared(engine_.backend, input),
                             sums);
        } else {
            changes.add_dots(w, segments, g_output, input, sums);
            changes.add_rounded_dots(w, segments, g_output, input, sums);
        }
        if (const auto found = attributed_.find(&item); found != attributed_.end()) {
            for (std::size_t f = 0; f < sums.size(); ++f)
                parts_[found->second + f] = part_sums(engine_, g_output, input,
                                                      segments.windows(map_, *sums[f]), changes.change(w, f));
        }
        engine_.cancel.check();
    }

    void head(std::int64_t first_token, const Tensor& hidden, const Tensor& g_logits) override {
        const LinearItem& item = model_.head_item();
        auto sums = sums_of(item);
        if (sums.empty()) return;
        const Matrix<float> w = read_weight_rows(model_.weights(), item.name, first_token, g_logits.cols());
        std::vector<std::int64_t> rows(static_cast<std::size_t>(g_logits.cols()));
        std::iota(rows.begin(), rows.end(), first_token);
        Changes(engine_, item, options_.treatments, std::move(rows))
            .add_dots(w, Segments(map_, map_.scored, hidden.rows()), g_logits, hidden, sums);
    }

    // ⟨g_t, embedding_scale · ΔE[token_t]⟩; only rows that occur are treated.
    void embedding(const Tensor& g_state) override {
        const LinearItem& item = model_.embedding_item();
        const auto sums = sums_of(item);
        if (sums.empty()) return;
        const OccurringRows rows = occurring_rows(item);
        Matrix<float> g(g_state.rows(), g_state.cols());
        engine_.backend.download(g_state, g.view());
        const Changes changes(engine_, item, options_.treatments, rows.tokens());
        engine_.pool.for_each(std::ssize(sums), [&](std::int64_t f) {
            const Matrix<float> change = changes.change(rows.w, static_cast<std::size_t>(f));
            std::int64_t t = 0;
            for (const TokenWindow& window : chunk_.windows) {
                for (const std::int32_t token : window) {
                    const auto row = change.row(rows.row_of.at(token)), gradient = std::as_const(g).row(t);
                    const double dot = std::inner_product(row.begin(), row.end(), gradient.begin(), 0.0);
                    (*sums[static_cast<std::size_t>(f)])[map_.of_row[static_cast<std::size_t>(t++)]] +=
                        dot * model_.config().embedding_scale;
                }
            }
        });
    }

    const std::vector<ScoreBlock>& blocks() const { return map_.blocks; }
    const std::vector<double>& sums(std::size_t score) const { return sums_[score]; }
    std::span<const WindowParts> parts() const { return parts_; }

  private:
    // One vector of block sums a treatment; none where the item is not scored.
    std::vector<std::vector<double>*> sums_of(const LinearItem& item) {
        const auto found = index_.find(&item);
        std::vector<std::vector<double>*> sums;
        for (std::size_t f = 0; found != index_.end() && f < options_.treatments.size(); ++f)
            sums.push_back(&sums_[found->second + f]);
        return sums;
    }

    struct OccurringRows {
        Matrix<float> w;
        std::map<std::int32_t, std::int64_t> row_of;  // by token

        std::vector<std::int64_t> tokens() const {
            std::vector<std::int64_t> all;
            for (const auto& [token, row] : row_of) all.push_back(token);
            return all;
        }
    };

    OccurringRows occurring_rows(const LinearItem& item) const {
        std::map<std::int32_t, std::int64_t> row_of;
        for (const TokenWindow& window : chunk_.windows) {
            for (const std::int32_t token : window) row_of[token] = 0;
        }
        Matrix<float> w(std::ssize(row_of), item.in);
        std::int64_t next = 0;
        for (auto& [token, row] : row_of) {
            row = next++;
            model_.weights().read(item.name + ".weight", token, w.view().row_range(row, 1));
        }
        return {std::move(w), std::move(row_of)};
    }

    const Model& model_;
    const Engine& engine_;
    const TokenChunk& chunk_;
    const ScoreOptions& options_;
    BlockMap map_;
    std::map<const LinearItem*, std::size_t> index_;       // of an item's first score
    std::vector<std::vector<double>> sums_;                // [item x treatment][block]
    std::map<const LinearItem*, std::size_t> attributed_;  // of an attributed item's first parts
    std::vector<WindowParts> parts_;                       // [attributed item x treatment]
};

// Items whose rows are looked up one by one, or come by in slices.
bool comes_in_rows(const LinearItem& item) {
    return changes_embedding(item) || changes_head(item);
}

bool all_in_blocks(const Model& model, const std::vector<std::size_t>& items) {
    return std::all_of(items.begin(), items.end(),
                       [&](std::size_t i) { return model.items().at(i).block >= 0; });
}

// The items that can be scored; the others go to `unscored`.
std::vector<std::size_t> scorable(const Model& model, const ScoreOptions& options,
                                  std::vector<std::size_t>& unscored) {
    const bool row_wise = std::all_of(options.treatments.begin(), options.treatments.end(),
                                      [](const WeightOverlay* f) { return f->row_wise(); });
    std::vector<std::size_t> items;
    for (std::size_t i : options.items)
        (row_wise || !comes_in_rows(model.items()[i]) ? items : unscored).push_back(i);
    return items;
}

bool rounds_inputs(const ScoreOptions& options) {
    return std::any_of(options.treatments.begin(), options.treatments.end(),
                       [](const WeightOverlay* f) { return f->rounds_inputs(); });
}

// Those of the attributed items that are linears of blocks and scored; none where a treatment has no parts.
std::vector<std::size_t> attributable(const Model& model, const ScoreOptions& options) {
    std::vector<std::size_t> items;
    if (rounds_inputs(options)) return items;
    for (std::size_t i : options.attributed) {
        const bool scored = std::find(options.items.begin(), options.items.end(), i) != options.items.end();
        if (scored && model.items()[i].block >= 0) items.push_back(i);
    }
    return items;
}

// One group's numbers, windows counted from 0: its blocks, scored positions, baseline, sums and parts.
std::vector<double> score_group(const Model& model, const Engine& engine,
                                std::span<const EvaluationWindow> windows, std::int64_t first_window,
                                const ScoreOptions& options) {
    const TokenChunk chunk =
        std::move(make_chunks(windows, std::ssize(windows) * longest_window(windows)).front());
    ChunkScores tap(model, engine, chunk, options);
    const ReverseResult pass =
        run_reverse_pass(model, engine, chunk, label_uniforms(chunk, options.seed, first_window), tap);
    std::vector<double> numbers{static_cast<double>(tap.blocks().size())};
    for (const ScoreBlock& b : tap.blocks())
        numbers.insert(numbers.end(), {static_cast<double>(b.window), static_cast<double>(b.first_position)});
    numbers.push_back(static_cast<double>(chunk.scored.windows()));
    for (std::int64_t w = 0; w < chunk.scored.windows(); ++w)
        numbers.push_back(static_cast<double>(chunk.scored.window_rows(w)));
    append_numbers(baseline_scores(chunk, pass.scores), numbers);
    for (std::size_t s = 0; s < options.items.size() * options.treatments.size(); ++s)
        append_list(tap.sums(s), numbers);
    for (const WindowParts& parts : tap.parts()) {
        numbers.push_back(static_cast<double>(parts.size()));
        for (const PartSums& window : parts) {
            append_list(window.rows, numbers);
            append_list(window.columns, numbers);
        }
    }
    return numbers;
}

// Adds a group's numbers; its first window is `first`.
void absorb_group(NumberReader& numbers, std::int64_t first, ScoreResult& result, RunScores& baseline,
                  std::vector<PartSums>& parts) {
    for (std::int64_t left = numbers.next_count(); left > 0; --left) {
        const std::int64_t window = first + numbers.next_count();
        result.blocks.push_back({window, numbers.next_count()});
    }
    for (std::int64_t left = numbers.next_count(); left > 0; --left)
        result.window_tokens.push_back(numbers.next_count());
    append_scores(read_scores(numbers), first, baseline);
    for (TreatmentScore& score : result.scores) {
        const std::vector<double> sums = numbers.next_list();
        score.sums.insert(score.sums.end(), sums.begin(), sums.end());
    }
    for (PartSums& part : parts) {
        for (std::int64_t left = numbers.next_count(); left > 0; --left) {
            PartSums window{numbers.next_list(), {}};
            window.columns = numbers.next_list();
            add(window, part);
        }
    }
}

}  // namespace

std::int64_t score_chunk_rows(const Model& model, const compute::Backend& backend, const MemoryLimits& limits,
                              std::span<const EvaluationWindow> windows) {
    const std::int64_t longest = longest_window(windows);
    const std::int64_t rows = std::min(kMostRows, limits.state_bytes / reverse_row_bytes(model, backend));
    return longest *
           std::clamp<std::int64_t>(rows / longest, 1, std::max<std::int64_t>(1, std::ssize(windows)));
}

ScoreResult score_treatments(const Model& model, const Engine& engine,
                             std::span<const EvaluationWindow> windows, const ScoreOptions& options) {
    if (options.items.empty() || options.treatments.empty() || windows.empty())
        throw InvalidArgument("scores need items, treatments and windows");
    if (options.random_signs && (!options.attributed.empty() || !all_in_blocks(model, options.items)))
        throw InvalidArgument("errors of random signs are scored of linears of blocks, without parts");
    if (rounds_inputs(options) && (options.random_signs || !all_in_blocks(model, options.items)))
        throw InvalidArgument(
            "treatments that round inputs are scored of linears of blocks, with their signs");
    ScoreResult result;
    ScoreOptions own = options;
    own.items = scorable(model, options, result.unscored);
    for (std::size_t i : own.items) {
        for (std::size_t f = 0; f < own.treatments.size(); ++f) result.scores.push_back({i, f, {}});
    }
    own.attributed = attributable(model, own);
    std::vector<PartSums> parts(own.attributed.size() * own.treatments.size());
    const std::int64_t rows = score_chunk_rows(model, engine.backend, engine.limits, windows);
    const auto group = static_cast<std::size_t>(rows / longest_window(windows));
    RunScores baseline;
    for_each_group(
        engine, windows, group, 1, options.random_signs ? "scores of error sizes" : "scores",
        [&](std::span<const EvaluationWindow> part) {
            return score_group(model, engine, part, part.data() - windows.data(), own);
        },
        [&](NumberReader& numbers, std::int64_t first) {
            absorb_group(numbers, first, result, baseline, parts);
        });
    result.baseline = std::move(baseline.blocks);
    for (std::size_t p = 0; p < parts.size(); ++p) {
        const std::size_t item = own.attributed[p / own.treatments.size()];
        result.attributions.push_back(attribute(model, item, p % own.treatments.size(), std::move(parts[p])));
    }
    return result;
}

}  // namespace assay
