// A treatment: what is done to one linear; the unit that is scored, planned and exported.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "number/number_format.h"

namespace assay {

// An option of a method: a flag (NAME or NAME=yes, NAME=no), or a number (NAME=0.01).
struct MethodOption {
    std::string_view name;
    bool flag = true;
    double usual = 0;  // where it is not given; of a flag: 0 or 1
    double least = 0;  // of a number, as the next
    double most = 1;
    std::string_view follows = "";  // where not empty: it is usually what this other option is
};

// A way to choose the codes.
struct Method {
    std::string_view name;
    bool calibrated = false;                // it looks at the linears' inputs on calibration windows
    std::span<const MethodOption> options;  // by name
};

// rtn:  round to nearest; ranges as they are
// clip: round to nearest in the range, of some for each scale, that rounds with the least squared error
// awq:  quantize/awq.h
// gptq: quantize/gptq.h
std::span<const Method> methods();

struct Treatment {
    NumberFormat format;                                   // how numbers are stored
    std::string method = "rtn";                            // one of methods()
    std::map<std::string, double, std::less<>> options{};  // of the method; those that are not as usual

    bool operator==(const Treatment&) const = default;
};

// The row of the treatment's method. Throws InvalidArgument where there is none.
const Method& method_of(const Treatment& treatment);

// What an option of the treatment's method is, given or usual; a flag is 0 or 1. Throws InvalidArgument for
// one that the method does not have.
double option(const Treatment& treatment, std::string_view name);

// Reads FORMAT[(option,…)][:METHOD[(option,…)]], such as "int4-g64(scale=f32):rtn", "nvfp4" or
// "int4-g64:gptq(act-order,damp=0.05)"; the method is rtn where none is named. Throws InvalidArgument for an
// unknown or badly written format, method or option; the text lists the known ones.
Treatment parse_treatment(std::string_view text);

// The one canonical text: the method always, options by name and only where they are not as usual. It parses
// back to the same treatment.
std::string to_string(const Treatment& treatment);

}  // namespace assay
