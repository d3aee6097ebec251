#include "text/symbols.h"

namespace assay {

void link_symbols(std::vector<Symbol>& symbols) {
    const auto count = static_cast<std::int64_t>(symbols.size());
    for (std::int64_t at = 0; at < count; ++at) {
        symbols[at].previous = at - 1;
        symbols[at].next = at + 1 < count ? at + 1 : -1;
    }
}

}  // namespace assay
