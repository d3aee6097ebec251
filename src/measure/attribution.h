// Attribution: which output rows, input channels and attention heads of a linear its damage comes from.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/pass.h"

namespace assay {

// What an attention head owns of a linear: rows of q, k and v, columns of o. Heads that share keys and values
// have one k and one v.
struct HeadPart {
    std::string part;  // "q", "k", "v", "o"
    std::int64_t head = 0;
    std::int64_t first = 0;  // row, of "o" column
    std::int64_t count = 0;
};

// By part and head, as the block's program says; none for a linear that no attention reads or feeds.
std::vector<HeadPart> head_parts(const Model& model, const LinearItem& item);

// Σ_b S_{part,b} · S_b over blocks b of positions, S_{part,b} the part's own contribution to S_b.
struct PartSums {
    std::vector<double> rows;     // [out]
    std::vector<double> columns;  // [in]
};

void add(const PartSums& sums, PartSums& total);

// Rows [first, first + weights.size()) of tensors, of one window, with the S_b of each one's block.
struct WeightedRows {
    std::int64_t first = 0;
    std::vector<double> weights;
};

// One PartSums a window: with A = Σ_t S_b(t) g_t x_tᵀ the sums of A ∘ ΔW over its rows and columns, windows
// apart so that no grouping changes a bit. Shape g [rows, out], x [rows, in], change = ΔW [out, in].
using WindowParts = std::vector<PartSums>;
WindowParts part_sums(const Engine& engine, const compute::Tensor& g, const compute::Tensor& x,
                      std::span<const WeightedRows> windows, const Matrix<float>& change);

// Shares of one item's damage: share of a part = Σ_b S_{part,b} S_b / Σ_b S_b². Those of all rows, and those
// of all columns, sum to 1; a part that makes up for others' damage has a negative one. All 0 where there is
// no damage.
struct Attribution {
    std::size_t item = 0;         // index into Model::items()
    std::size_t treatment = 0;    // index into ScoreOptions::treatments
    std::vector<double> rows;     // [out]
    std::vector<double> columns;  // [in]
    std::vector<HeadPart> heads;  // head_parts(), with
    std::vector<double> head_shares;
};

Attribution attribute(const Model& model, std::size_t item, std::size_t treatment, PartSums sums);

}  // namespace assay
