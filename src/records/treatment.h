// A treatment: what is done to one linear; the unit that is scored, planned and exported.
#pragma once

#include <string>
#include <string_view>

#include "number/number_format.h"

namespace assay {

struct Treatment {
    NumberFormat format;         // how numbers are stored
    std::string method = "rtn";  // how the codes are chosen; "rtn": round to nearest

    bool operator==(const Treatment&) const = default;
};

// Reads FORMAT[(option,…)][:METHOD], such as "int4-g64(scale=f32):rtn" or "nvfp4"; the method is rtn where
// none is named. Throws InvalidArgument for an unknown or badly written format or method; the text lists the
// known ones.
Treatment parse_treatment(std::string_view text);

// The text with its method always named: it parses back to the same treatment.
std::string to_string(const Treatment& treatment);

}  // namespace assay
