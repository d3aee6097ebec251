#include "measure/treatment_scores.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/rng.h"
#include "measure/scores.h"
#include "model/reverse_pass.h"

namespace assay {
namespace {

using compute::Tensor;

constexpr std::int64_t kMostRows = 8192;  // of one chunk: changes of weights are made once a chunk

// One number in [0, 1) for each scored position, by the window's own stream.
std::vector<double> label_uniforms(const TokenChunk& chunk, std::uint64_t seed, std::int64_t first_window) {
    std::vector<double> uniforms;
    for (std::int64_t w = 0; w < chunk.scored.windows(); ++w) {
        Rng rng(seed, static_cast<std::uint64_t>(first_window + w));
        for (std::int64_t r = 0; r < chunk.scored.window_rows(w); ++r) uniforms.push_back(rng.uniform());
    }
    return uniforms;
}

// Which block of positions each row of the chunk belongs to.
struct BlockMap {
    std::vector<ScoreBlock> blocks;
    std::vector<std::size_t> of_row;   // of all rows
    std::vector<std::int64_t> scored;  // the chunk's row of each scored row
};

BlockMap map_blocks(const TokenChunk& chunk, std::int64_t first_window) {
    BlockMap map;
    for (std::int64_t w = 0; w < chunk.rows.windows(); ++w) {
        const std::int64_t rows = chunk.rows.window_rows(w), scored = chunk.scored.window_rows(w);
        for (std::int64_t r = 0; r < rows; ++r) {
            if (r % kScorePositions == 0) map.blocks.push_back({first_window + w, r});
            map.of_row.push_back(map.blocks.size() - 1);
            if (r >= rows - 1 - scored && r < rows - 1) map.scored.push_back(std::ssize(map.of_row) - 1);
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
};

// Changes that treatments make to a weight, or to some rows of it.
class Changes {
  public:
    Changes(const Engine& engine, const LinearItem& item, const std::vector<const WeightOverlay*>& treatments)
        : engine_(engine), item_(item), treatments_(treatments) {}

    Matrix<float> change(const Matrix<float>& w, std::size_t treatment) const {
        Matrix<float> changed(w.rows(), w.cols());
        std::copy(w.values().begin(), w.values().end(), changed.values().begin());
        treatments_[treatment]->apply(item_, changed.view());
        for (std::size_t i = 0; i < w.values().size(); ++i) changed.values()[i] -= w.values()[i];
        return changed;
    }

    // Sums of `segments` for all treatments, added to sums[treatment][block]; as many at a time as fit.
    void add_dots(const Matrix<float>& w, const Segments& segments, const Tensor& g, const Tensor& x,
                  std::vector<std::vector<double>*>& sums) const {
        const std::int64_t bytes = 2 * 4 * w.rows() * w.cols();
        const auto fit =
            static_cast<std::size_t>(std::max<std::int64_t>(1, engine_.limits.head_bytes / bytes));
        for (std::size_t first = 0; first < treatments_.size(); first += fit) {
            const std::size_t count = std::min(fit, treatments_.size() - first);
            std::vector<std::unique_ptr<compute::PackedChange>> packed(count);
            engine_.pool.for_each(static_cast<std::int64_t>(count), [&](std::int64_t i) {
                const auto k = static_cast<std::size_t>(i);
                packed[k] = engine_.backend.pack_change(change(w, first + k).view());
            });
            std::vector<const compute::PackedChange*> changes;
            for (const auto& p : packed) changes.push_back(p.get());
            const Matrix<double> dots = engine_.backend.change_dots(segments.rows, g, x, changes);
            for (std::size_t k = 0; k < count; ++k) {
                for (std::int64_t s = 0; s < dots.rows(); ++s)
                    (*sums[first + k])[segments.blocks[static_cast<std::size_t>(s)]] +=
                        dots.view()(s, static_cast<std::int64_t>(k));
            }
        }
    }

  private:
    const Engine& engine_;
    const LinearItem& item_;
    const std::vector<const WeightOverlay*>& treatments_;
};

// Scores one chunk's windows.
class ChunkScores final : public GradientTap {
  public:
    ChunkScores(const Model& model, const Engine& engine, const TokenChunk& chunk, std::int64_t first_window,
                const ScoreOptions& options)
        : model_(model),
          engine_(engine),
          chunk_(chunk),
          options_(options),
          map_(map_blocks(chunk, first_window)) {
        for (std::size_t i = 0; i < options.items.size(); ++i)
            index_[&model.items()[options.items[i]]] = i * options.treatments.size();
        sums_.assign(options.items.size() * options.treatments.size(),
                     std::vector<double>(map_.blocks.size(), 0.0));
    }

    void linear(const LinearItem& item, std::span<const std::int64_t> rows, const Tensor& input,
                const Tensor& g_output) override {
        auto sums = sums_of(item);
        if (sums.empty() || input.rows() == 0) return;
        const Matrix<float> w = read_weight(model_.weights(), item.name);
        model_.weights().release(item.name + ".weight");
        Changes(engine_, item, options_.treatments)
            .add_dots(w, Segments(map_, rows, input.rows()), g_output, input, sums);
        engine_.cancel.check();
    }

    void head(std::int64_t first_token, const Tensor& hidden, const Tensor& g_logits) override {
        const LinearItem& item = model_.head_item();
        auto sums = sums_of(item);
        if (sums.empty()) return;
        const Matrix<float> w = read_weight_rows(model_.weights(), item.name, first_token, g_logits.cols());
        Changes(engine_, item, options_.treatments)
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
        const Changes changes(engine_, item, options_.treatments);
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
    std::map<const LinearItem*, std::size_t> index_;  // of an item's first score
    std::vector<std::vector<double>> sums_;           // [item x treatment][block]
};

// Items whose rows are looked up one by one, or come by in slices.
bool comes_in_rows(const LinearItem& item) {
    return changes_embedding(item) || changes_head(item);
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

void add_chunk(const ChunkScores& chunk, ScoreResult& result) {
    result.blocks.insert(result.blocks.end(), chunk.blocks().begin(), chunk.blocks().end());
    for (std::size_t s = 0; s < result.scores.size(); ++s) {
        auto& all = result.scores[s].sums;
        all.insert(all.end(), chunk.sums(s).begin(), chunk.sums(s).end());
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
    ScoreResult result;
    ScoreOptions own = options;
    own.items = scorable(model, options, result.unscored);
    for (std::size_t i : own.items) {
        for (std::size_t f = 0; f < own.treatments.size(); ++f) result.scores.push_back({i, f, {}});
    }
    const std::int64_t rows = score_chunk_rows(model, engine.backend, engine.limits, windows);
    const auto group = static_cast<std::size_t>(rows / longest_window(windows));
    for (std::size_t first = 0; first < windows.size(); first += group) {
        const auto part = windows.subspan(first, std::min(group, windows.size() - first));
        const TokenChunk chunk =
            std::move(make_chunks(part, std::ssize(part) * longest_window(part)).front());
        const auto first_window = static_cast<std::int64_t>(first);
        ChunkScores tap(model, engine, chunk, first_window, own);
        const ReverseResult pass =
            run_reverse_pass(model, engine, chunk, label_uniforms(chunk, own.seed, first_window), tap);
        add_chunk(tap, result);
        for (std::int64_t w = 0; w < chunk.scored.windows(); ++w)
            result.window_tokens.push_back(chunk.scored.window_rows(w));
        add_baseline(chunk, pass.scores, first_window, result.baseline);
    }
    return result;
}

}  // namespace assay
