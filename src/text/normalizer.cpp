#include "text/normalizer.h"

#include <memory>
#include <utility>
#include <vector>

#include "text/base64.h"
#include "text/charsmap.h"
#include "text/component.h"
#include "text/pattern.h"
#include "text/unicode.h"

namespace assay {
namespace {

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
        return replace_matches(text, pattern, content, max_bytes);
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

Normalizer build_strip_accents(const Json& /*config*/, std::string_view /*where*/) {
    return [](const std::string& text, std::size_t /*max_bytes*/) {
        std::string out;
        for (std::size_t offset = 0; offset < text.size();) {
            const Character c = character_at(text, offset);
            if (!is_combining_mark(c.code)) out.append(text, offset, c.bytes);
            offset += c.bytes;
        }
        return out;
    };
}

// SentencePiece's rules as the `tokenizers` library applies them: to a whole grapheme of less than six bytes
// if a rule matches its beginning, else to its characters.
Normalizer build_precompiled(const Json& config, std::string_view where) {
    const std::string path = json_path(where, "precompiled_charsmap");
    const std::string blob = base64_decode(require_string(config, "precompiled_charsmap", where), path);
    return [map = std::make_shared<const Charsmap>(blob, path)](const std::string& text,
                                                                std::size_t max_bytes) {
        constexpr std::size_t kMaxGraphemeBytes = 5;
        std::string out;
        const auto replace = [&](std::string_view part) {
            const auto match = map->shortest(part);
            if (match) out += match->replacement;
            check_growth(out.size(), max_bytes);
            return match.has_value();
        };
        for_each_grapheme(text, [&](std::string_view grapheme) {
            if (grapheme.size() <= kMaxGraphemeBytes && replace(grapheme)) return;
            for (std::size_t offset = 0; offset < grapheme.size();) {
                const std::string_view part = grapheme.substr(offset, character_at(grapheme, offset).bytes);
                if (!replace(part)) out += part;
                offset += part.size();
            }
        });
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
    {"StripAccents", build_strip_accents},
    {"Precompiled", build_precompiled},
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
