// Tokens that go through a model together: what a text is cut into and what a measurement runs on.
#pragma once

#include <cstdint>
#include <vector>

namespace assay {

// Position t scores the window's token t + 1, from t = `context` on: tokens[0 … context] are only read.
struct EvaluationWindow {
    std::vector<std::int32_t> tokens;
    std::int64_t context = 0;

    bool operator==(const EvaluationWindow&) const = default;
};

}  // namespace assay
