// What parsers of outside bytes may throw. Shared by the fuzz targets.
#pragma once

#include "base/error.h"

// FormatError (Unsupported is one) may come out of `parse`, nothing else.
template <class Parse>
void attempt(Parse parse) {
    try {
        parse();
    } catch (const assay::FormatError&) {
    }
}
