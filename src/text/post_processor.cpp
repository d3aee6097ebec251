#include "text/post_processor.h"

#include <fmt/format.h>

#include <string>

#include "base/error.h"
#include "text/component.h"
#include "text/vocabulary.h"

namespace assay {
namespace {

PostProcessor build_any(const Json& config, std::string_view where);

// Each processor wraps the result of the one before.
PostProcessor build_sequence(const Json& config, std::string_view where) {
    PostProcessor all;
    const std::string path = json_path(where, "processors");
    for (const Json& step : require_array(config, "processors", where)) {
        const PostProcessor outer = build_any(step, path);
        all.before.insert(all.before.begin(), outer.before.begin(), outer.before.end());
        all.after.insert(all.after.end(), outer.after.begin(), outer.after.end());
    }
    return all;
}

PostProcessor build_byte_level(const Json& /*config*/, std::string_view /*where*/) {
    return {};
}

std::vector<std::int32_t> special_ids(const Json& config, const std::string& name, std::string_view where) {
    const std::string path = json_path(where, "special_tokens");
    const Json& special = require_object(require_object(config, "special_tokens", where), name, path);
    std::vector<std::int32_t> ids;
    for (const Json& id : require_array(special, "ids", json_path(path, name))) {
        constexpr IntRange kIds{.least = 0, .most = kMaxTokenId};
        ids.push_back(static_cast<std::int32_t>(as_int(id, json_path(path, name), kIds)));
    }
    return ids;
}

PostProcessor build_template(const Json& config, std::string_view where) {
    PostProcessor processor;
    bool is_after = false;
    const std::string path = json_path(where, "single");
    for (const Json& piece : require_array(config, "single", where)) {
        if (const Json* special = optional_object(piece, "SpecialToken", path)) {
            const auto ids = special_ids(config, require_string(*special, "id", path), where);
            auto& side = is_after ? processor.after : processor.before;
            side.insert(side.end(), ids.begin(), ids.end());
            continue;
        }
        const std::string name = require_string(require_object(piece, "Sequence", path), "id", path);
        if (name != "A" || is_after) {
            throw Unsupported(
                fmt::format("{}: supported are templates in which the sequence A stands exactly once", path));
        }
        is_after = true;
    }
    if (!is_after)
        throw Unsupported(fmt::format("{}: a template without the sequence A is not supported", path));
    return processor;
}

constexpr PartKind<PostProcessor> kKinds[] = {
    {"Sequence", build_sequence},
    {"ByteLevel", build_byte_level},
    {"TemplateProcessing", build_template},
};

PostProcessor build_any(const Json& config, std::string_view where) {
    return build_part<PostProcessor>(config, where, kKinds);
}

}  // namespace

PostProcessor build_post_processor(const Json* config, std::string_view where) {
    return config != nullptr ? build_any(*config, where) : PostProcessor{};
}

}  // namespace assay
