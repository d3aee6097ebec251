#include "text/decoder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "base/error.h"
#include "text/byte_level.h"
#include "text/byte_tokens.h"
#include "text/component.h"
#include "text/metaspace.h"
#include "text/pattern.h"
#include "text/unicode.h"

namespace assay {
namespace {

using Texts = std::vector<std::string>;

Decoder build_any(const Json& config, std::string_view where);

Decoder build_sequence(const Json& config, std::string_view where) {
    std::vector<Decoder> steps;
    const std::string path = json_path(where, "decoders");
    for (const Json& step : require_array(config, "decoders", where)) steps.push_back(build_any(step, path));
    return [steps = std::move(steps)](Texts texts, std::size_t max_bytes) {
        for (const Decoder& step : steps) texts = step(std::move(texts), max_bytes);
        return texts;
    };
}

// The bytes of all tokens as one text, U+FFFD where they are not UTF-8.
Decoder build_byte_level(const Json& /*config*/, std::string_view /*where*/) {
    return [](const Texts& texts, std::size_t /*max_bytes*/) {
        std::string bytes;
        for (const std::string& text : texts) bytes += characters_to_bytes(text);
        return Texts{replace_invalid_utf8(bytes)};
    };
}

Decoder build_fuse(const Json& /*config*/, std::string_view /*where*/) {
    return [](const Texts& texts, std::size_t /*max_bytes*/) {
        return Texts{fmt::format("{}", fmt::join(texts, ""))};
    };
}

// Runs of byte tokens as their bytes; where those are not UTF-8, U+FFFD for each.
Decoder build_byte_fallback(const Json& /*config*/, std::string_view /*where*/) {
    return [](const Texts& texts, std::size_t /*max_bytes*/) {
        Texts out;
        std::string bytes;
        const auto end_run = [&] {
            if (is_utf8(bytes)) {
                if (!bytes.empty()) out.push_back(bytes);
            } else {
                out.insert(out.end(), bytes.size(), "\uFFFD");
            }
            bytes.clear();
        };
        for (const std::string& text : texts) {
            if (const auto byte = byte_of_token(text)) {
                bytes += static_cast<char>(*byte);
                continue;
            }
            end_run();
            out.push_back(text);
        }
        end_run();
        return out;
    };
}

// Spaces for the mark, in the first token nothing (unless texts get none in front).
Decoder build_metaspace(const Json& config, std::string_view where) {
    return [options = read_metaspace(config, where)](Texts texts, std::size_t /*max_bytes*/) {
        const Regex mark = Regex::from_literal(options.mark, "Metaspace");
        for (std::size_t i = 0; i < texts.size(); ++i) {
            const bool is_dropped = i == 0 && options.prepend != PrependScheme::kNever;
            texts[i] = replace_matches(texts[i], mark, is_dropped ? "" : " ", texts[i].size());
        }
        return texts;
    };
}

Decoder build_replace(const Json& config, std::string_view where) {
    return [pattern = require_pattern(config, where), content = require_string(config, "content", where)](
               Texts texts, std::size_t max_bytes) {
        std::size_t room = max_bytes;
        for (std::string& text : texts) {
            text = replace_matches(text, pattern, content, room);
            room -= text.size();
        }
        return texts;
    };
}

// Cuts up to `start` and `stop` characters `content` off the ends of each token.
Decoder build_strip(const Json& config, std::string_view where) {
    const std::string content = require_string(config, "content", where);
    if (content.empty() || character_at(content, 0).bytes != content.size())
        throw FormatError(fmt::format("{}: content \"{:.100}\" is not one character", where, content));
    constexpr IntRange kCount{.least = 0, .most = 1 << 30};
    const std::int64_t start = require_int(config, "start", where, kCount);
    const std::int64_t stop = require_int(config, "stop", where, kCount);
    return [content, start, stop](Texts texts, std::size_t /*max_bytes*/) {
        for (std::string& text : texts) {
            std::string_view rest = text;
            for (std::int64_t i = 0; i < start && rest.starts_with(content); ++i)
                rest.remove_prefix(content.size());
            for (std::int64_t i = 0; i < stop && rest.ends_with(content); ++i)
                rest.remove_suffix(content.size());
            text = std::string(rest);
        }
        return texts;
    };
}

constexpr PartKind<Decoder> kKinds[] = {
    {"Sequence", build_sequence}, {"ByteLevel", build_byte_level}, {"ByteFallback", build_byte_fallback},
    {"Fuse", build_fuse},         {"Metaspace", build_metaspace},  {"Replace", build_replace},
    {"Strip", build_strip},
};

Decoder build_any(const Json& config, std::string_view where) {
    return build_part<Decoder>(config, where, kKinds);
}

}  // namespace

Decoder build_decoder(const Json* config, std::string_view where) {
    if (config != nullptr) return build_any(*config, where);
    return [](const Texts& texts, std::size_t /*max_bytes*/) {
        return Texts{fmt::format("{}", fmt::join(texts, " "))};
    };
}

}  // namespace assay
