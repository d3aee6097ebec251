// The windows of a benchmark in a file, so that a peer can run the same ones.
#pragma once

#include <span>
#include <string>

#include "base/atomic_file.h"
#include "base/evaluation_window.h"
#include "container/json.h"

namespace assay::bench {

// Their ids as a JSON array of arrays. Nothing is written where there is no path. Throws Error where the file
// cannot be written.
inline void write_windows(const std::string& path, std::span<const EvaluationWindow> windows) {
    if (path.empty()) return;
    Json all = Json::array();
    for (const EvaluationWindow& window : windows) all.push_back(window.tokens);
    write_file(path, all.dump());
}

}  // namespace assay::bench
