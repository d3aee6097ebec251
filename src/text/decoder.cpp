#include "text/decoder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "text/byte_level.h"
#include "text/component.h"
#include "text/unicode.h"

namespace assay {
namespace {

using Texts = std::vector<std::string>;

Decoder build_any(const Json& config, std::string_view where);

Decoder build_sequence(const Json& config, std::string_view where) {
    std::vector<Decoder> steps;
    const std::string path = json_path(where, "decoders");
    for (const Json& step : require_array(config, "decoders", where)) steps.push_back(build_any(step, path));
    return [steps = std::move(steps)](Texts texts) {
        for (const Decoder& step : steps) texts = step(std::move(texts));
        return texts;
    };
}

// The bytes of all tokens as one text, U+FFFD where they are not UTF-8.
Decoder build_byte_level(const Json& /*config*/, std::string_view /*where*/) {
    return [](const Texts& texts) {
        std::string bytes;
        for (const std::string& text : texts) bytes += characters_to_bytes(text);
        return Texts{replace_invalid_utf8(bytes)};
    };
}

Decoder build_fuse(const Json& /*config*/, std::string_view /*where*/) {
    return [](const Texts& texts) { return Texts{fmt::format("{}", fmt::join(texts, ""))}; };
}

constexpr PartKind<Decoder> kKinds[] = {
    {"Sequence", build_sequence},
    {"ByteLevel", build_byte_level},
    {"Fuse", build_fuse},
};

Decoder build_any(const Json& config, std::string_view where) {
    return build_part<Decoder>(config, where, kKinds);
}

}  // namespace

Decoder build_decoder(const Json* config, std::string_view where) {
    if (config != nullptr) return build_any(*config, where);
    return [](const Texts& texts) { return Texts{fmt::format("{}", fmt::join(texts, " "))}; };
}

}  // namespace assay
