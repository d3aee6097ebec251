// Fuzz target: any bytes as a config.json. Only FormatError (Unsupported is one) may come out; what an
// accepted config must be stands in config_checks.h.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "config_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const auto config = assay::text_config(
            assay::parse_json({reinterpret_cast<const char*>(data), size}, "input"), "input");
        const auto& names = assay::require_array(config, "architectures", "input");
        const auto name = names.empty() ? std::string() : assay::as_string(names[0], "input: architectures");
        const assay::Architecture& architecture = assay::find_hf_architecture(name, "input");
        check_config(architecture.parse_hf(config, "input"), architecture);
    } catch (const assay::FormatError&) {
    }
    return 0;
}
