#include "number/activation_format.h"

#include "base/error.h"

namespace assay {
namespace {

bool serves_rows(const Tile& tile) {
    return tile == kChannelTile || tile == kTensorTile;
}

bool multiplies(const NumberFormat& weights, ActivationFormat::Element element) {
    if (const auto* ints = std::get_if<IntFormat>(&weights))
        return element == ActivationFormat::Element::kInt8 && ints->symmetric && serves_rows(ints->tile);
    if (const auto* fp8 = std::get_if<Fp8Format>(&weights)) {
        return element == ActivationFormat::Element::kE4m3 && fp8->element == FloatElement::kE4m3 &&
               serves_rows(fp8->tile);
    }
    return false;
}

}  // namespace

ActivationFormat parse_activation_format(std::string_view text) {
    for (const auto element : {ActivationFormat::Element::kInt8, ActivationFormat::Element::kE4m3}) {
        for (const bool per_token : {true, false}) {
            const ActivationFormat format{element, per_token};
            if (to_string(format) == text) return format;
        }
    }
    throw InvalidArgument("format of activations '" + std::string(text) +
                          "' is unknown; after '+' a8-token, a8-tensor, afp8-token or afp8-tensor is "
                          "expected, such as int8-sym-channel+a8-token");
}

std::string to_string(const ActivationFormat& format) {
    return std::string(format.element == ActivationFormat::Element::kInt8 ? "a8" : "afp8") +
           (format.per_token ? "-token" : "-tensor");
}

void check_activations(const NumberFormat& weights, const ActivationFormat& format) {
    if (multiplies(weights, format.element)) return;
    throw InvalidArgument(
        to_string(weights) + "+" + to_string(format) +
        ": no product takes these together: a8 goes with symmetric integers of one scale a row or matrix "
        "(int8-sym-channel, int8-sym-tensor), afp8 with fp8-e4m3 and fp8-e4m3-tensor");
}

}  // namespace assay
