#include "measure/label_draws.h"

#include "base/rng.h"

namespace assay {

std::vector<double> label_uniforms(const TokenChunk& chunk, std::uint64_t seed, std::int64_t first_window) {
    std::vector<double> uniforms;
    for (std::int64_t w = 0; w < chunk.scored.windows(); ++w) {
        Rng rng(seed, static_cast<std::uint64_t>(first_window + w));
        for (std::int64_t r = 0; r < chunk.scored.window_rows(w); ++r) uniforms.push_back(rng.uniform());
    }
    return uniforms;
}

}  // namespace assay
