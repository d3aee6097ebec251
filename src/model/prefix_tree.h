// Windows that begin alike, as a tree of runs of tokens: what several windows share is there once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/evaluation_window.h"

namespace assay {

struct PrefixTree {
    std::vector<std::vector<std::int32_t>>
        parts;                              // runs of tokens, one row a token, in the order of the rows
    std::vector<std::int64_t> continued;    // the part that each one follows; -1: it begins its windows
    std::vector<std::int64_t> scored_rows;  // of each scored position, window by window
};

// Rows in common that two windows begin with. The last token of a window predicts nothing: it has no row
// here.
std::int64_t common_rows(const EvaluationWindow& a, const EvaluationWindow& b);

// Shares what each window has in common with the one before it; windows are in an order that puts those that
// begin alike beside each other. Each has a scored position.
PrefixTree make_prefix_tree(std::span<const EvaluationWindow> windows);

}  // namespace assay
