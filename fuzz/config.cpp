// Fuzz target: any bytes as a config.json. Only FormatError (Unsupported is one) may come out; an accepted
// config must describe a block whose matrices have sizes.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "model/architectures.h"
#include "model/rope.h"

namespace {

void check(const assay::ModelConfig& config, const assay::BlockProgram& block) {
    for (const std::int64_t cols : block.slot_cols) {
        if (cols <= 0) std::abort();
    }
    constexpr std::int64_t kFrequencies = 1 << 12;  // a real head has 64; more would only be slow here
    if (config.head_dim > 2 * kFrequencies) return;
    for (const float f : assay::rope_frequencies(config.rope)) {
        if (std::isnan(f) || f < 0) std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const auto config = assay::parse_json({reinterpret_cast<const char*>(data), size}, "input");
        const auto& names = assay::require_array(config, "architectures", "input");
        const auto name = names.empty() ? std::string() : assay::as_string(names[0], "input: architectures");
        const assay::Architecture& architecture = assay::find_hf_architecture(name, "input");
        const assay::ModelConfig parsed = architecture.parse_hf(config, "input");
        assay::validate(parsed, "input");
        if (parsed.experts.count > 256) return 0;  // more would only be slow here
        const std::int64_t last = parsed.layers - 1;
        for (const std::int64_t layer : {std::int64_t{0}, last})
            check(parsed, architecture.block(parsed, layer));
    } catch (const assay::FormatError&) {
    }
    return 0;
}
