// Windows in groups: what is measured together, and kept when it is finished.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/evaluation_window.h"
#include "model/pass.h"

namespace assay {

// Cuts the windows into groups of at most `most` (smaller ones where finished groups are kept,
// by the number of `runs` beside each other), gives each to
// `measure`, which returns its numbers, and those to `absorb`, in the order of the windows. Where the engine
// keeps parts, a group that an earlier run of the same command finished is taken from there: its numbers are
// the same bits. `kind` names the computation among others of the run. first: the group's first window.
// rows: what a window takes on average, where that is less than its tokens; 0: as many as the longest one
// has.
void for_each_group(
    const Engine& engine, std::span<const EvaluationWindow> windows, std::size_t most, std::int64_t runs,
    const std::string& kind,
    const std::function<std::vector<double>(std::span<const EvaluationWindow> group)>& measure,
    const std::function<void(NumberReader& numbers, std::int64_t first)>& absorb, std::int64_t rows = 0);

}  // namespace assay
