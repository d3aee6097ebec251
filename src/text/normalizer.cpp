#include "text/normalizer.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "base/error.h"
#include "text/component.h"
#include "text/pattern.h"
#include "text/unicode.h"

namespace assay {
namespace {

void check_growth(std::size_t bytes, std::size_t max_bytes) {
    if (bytes > max_bytes) {
        throw FormatError(
            fmt::format("the tokenizer's normalizer grows a piece of text beyond {} bytes; check its Replace "
                        "and Prepend rules",
                        max_bytes));
    }
}

Normalizer build_any(const Json& config, std::string_view where);

Normalizer build_sequence(const Json& config, std::string_view where) {
    std::vector<Normalizer> steps;
    const std::string path = json_path(where, "normalizers");
    for (const Json& step : require_array(config, "normalizers", where))
        steps.push_back(build_any(step, path));
    return [steps = std::move(steps)](std::string text, std::size_t max_bytes) {
        for (const Normalizer& step : steps) text = step(std::move(text), max_bytes);
        return text;
    };
}

Normalizer build_lowercase(const Json& /*config*/, std::string_view /*where*/) {
    return [](const std::string& text, std::size_t max_bytes) {
        std::string out = lowercase(text);
        check_growth(out.size(), max_bytes);
        return out;
    };
}

Normalizer build_replace(const Json& config, std::string_view where) {
    return [pattern = require_pattern(config, where), content = require_string(config, "content", where)](
               const std::string& text, std::size_t max_bytes) {
        std::string out;
        std::size_t copied = 0;
        pattern.for_each_match(text, [&](std::size_t begin, std::size_t end) {
            out.append(text, copied, begin - copied);
            out += content;
            copied = end;
            check_growth(out.size(), max_bytes);
        });
        out.append(text, copied);
        check_growth(out.size(), max_bytes);
        return out;
    };
}

Normalizer build_prepend(const Json& config, std::string_view where) {
    return [prefix = require_string(config, "prepend", where)](std::string text, std::size_t max_bytes) {
        if (text.empty()) return text;
        check_growth(prefix.size() + text.size(), max_bytes);
        return prefix + text;
    };
}

Normalizer build_strip(const Json& config, std::string_view where) {
    const bool left = require_bool(config, "strip_left", where);
    const bool right = require_bool(config, "strip_right", where);
    return [left, right](const std::string& text, std::size_t /*max_bytes*/) {
        std::size_t begin = 0;
        std::size_t end = text.size();
        while (left && begin < end) {
            const Character c = character_at(text, begin);
            if (!is_whitespace(c.code)) break;
            begin += c.bytes;
        }
        while (right && end > begin) {
            const Character c = character_before(text, end);
            if (!is_whitespace(c.code)) break;
            end -= c.bytes;
        }
        return text.substr(begin, end - begin);
    };
}

template <NormalForm form>
Normalizer build_unicode(const Json& /*config*/, std::string_view /*where*/) {
    return [normalize = unicode_normalizer(form)](const std::string& text, std::size_t max_bytes) {
        std::string out = normalize(text);
        check_growth(out.size(), max_bytes);
        return out;
    };
}

constexpr PartKind<Normalizer> kKinds[] = {
    {"Sequence", build_sequence},
    {"NFC", build_unicode<NormalForm::kNfc>},
    {"NFD", build_unicode<NormalForm::kNfd>},
    {"NFKC", build_unicode<NormalForm::kNfkc>},
    {"NFKD", build_unicode<NormalForm::kNfkd>},
    {"Lowercase", build_lowercase},
    {"Replace", build_replace},
    {"Prepend", build_prepend},
    {"Strip", build_strip},
};

Normalizer build_any(const Json& config, std::string_view where) {
    return build_part<Normalizer>(config, where, kKinds);
}

}  // namespace

Normalizer build_normalizer(const Json* config, std::string_view where) {
    if (config != nullptr) return build_any(*config, where);
    return [](std::string text, std::size_t /*max_bytes*/) { return text; };
}

}  // namespace assay
