#include "text/builtin_text.h"

#include <cstddef>

extern "C" {
// Defined in builtin_text.S.
extern const char assay_builtin_text_begin[];
extern const char assay_builtin_text_end[];
}

namespace assay {

std::string_view builtin_evaluation_text() {
    return {assay_builtin_text_begin,
            static_cast<std::size_t>(assay_builtin_text_end - assay_builtin_text_begin)};
}

std::string_view builtin_evaluation_text_name() {
    return "wikitext-2-raw test";
}

}  // namespace assay
