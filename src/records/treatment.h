// A treatment: what is done to one linear; the unit that is scored, planned and exported.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "number/activation_format.h"
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
    bool calibrated = false;                // it looks at the linears' inputs on calibration windows, always
    bool gradients = false;                 // and always at the gradients of their outputs
    std::span<const MethodOption> options;  // by name
    bool takes_activations = false;         // inputs may be quantized, too
    bool needs_activations = false;         // they must
};

// rtn:  round to nearest; ranges as they are
// clip: round to nearest in the range, of some for each scale, that rounds with the least squared error; with
//       the option inputs, Σ x² of the input channel weighs each weight's
// awq:  quantize/awq.h
// gptq: quantize/gptq.h
// smooth: quantize/smoothing.h
// yaqa: quantize/kron.h
std::span<const Method> methods();

struct Treatment {
    NumberFormat format;                                   // how weights are stored
    std::string method = "rtn";                            // one of methods()
    std::map<std::string, double, std::less<>> options{};  // of the method; those that are not as usual
    std::optional<ActivationFormat> activations{};         // how inputs are stored; none: as they are

    bool operator==(const Treatment&) const = default;
};

// The row of the treatment's method. Throws InvalidArgument where there is none.
const Method& method_of(const Treatment& treatment);

// Whether its codes are chosen by the linears' inputs on calibration windows: as its method does, or for the
// option inputs.
bool looks_at_inputs(const Treatment& treatment);

// Whether it looks at them at all: for its codes, or for a static scale of its inputs.
bool is_calibrated(const Treatment& treatment);

// Whether it looks at the gradients of the linears' outputs, too.
bool uses_gradients(const Treatment& treatment);

// What an option of the treatment's method is, given or usual; a flag is 0 or 1. Throws InvalidArgument for
// one that the method does not have.
double option(const Treatment& treatment, std::string_view name);

// Whether the treatment's method has the flag, and it is set, given or usual.
bool is_set(const Treatment& treatment, std::string_view flag);

// Reads FORMAT[(option,…)][+ACTIVATIONS][:METHOD[(option,…)]], such as "int4-g64(scale=f32):rtn", "nvfp4",
// "int4-g64:gptq(act-order,damp=0.05)" or "int8-sym-channel+a8-token:smooth"; the method is rtn where none is
// named. Throws InvalidArgument for an unknown or badly written format, method or option, the text lists the
// known ones; and for parts that do not go together.
Treatment parse_treatment(std::string_view text);

// The one canonical text: the method always, options by name and only where they are not as usual. It parses
// back to the same treatment.
std::string to_string(const Treatment& treatment);

}  // namespace assay
