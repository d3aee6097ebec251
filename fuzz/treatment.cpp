// Fuzz target: any bytes as the text of a treatment. Only InvalidArgument may come out; an accepted text must
// come back from its canonical form, and its size must be that of a format.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "records/treatment.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const auto treatment = assay::parse_treatment({reinterpret_cast<const char*>(data), size});
        const std::string text = assay::to_string(treatment);
        const auto again = assay::parse_treatment(text);
        if (again != treatment || assay::to_string(again) != text) std::abort();
        const auto bytes = assay::storage_size(treatment.format, 96, 80).total_bytes();
        if (bytes < 96 * 80 / 4 || bytes > 96 * 80 * 6) std::abort();
    } catch (const assay::InvalidArgument&) {
    }
    return 0;
}
