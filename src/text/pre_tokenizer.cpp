#include "text/pre_tokenizer.h"

#include <fmt/format.h>

#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "text/byte_level.h"
#include "text/component.h"
#include "text/metaspace.h"
#include "text/pattern.h"
#include "text/regex.h"
#include "text/unicode.h"

namespace assay {
namespace {

constexpr std::size_t kMaxStages = 64;

// Source: Radford et al. 2019, encoder.py.
constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

PreTokenizer build_any(const Json& config, std::string_view where);

// Has a stage cut off what the text begins with? Pieces are parts of the text or copies.
bool is_inside(std::string_view piece, std::string_view text) {
    return std::greater<>()(piece.data(), text.data()) &&
           std::less<>()(piece.data(), text.data() + text.size());
}

void run_stages(std::span<const PreTokenizer> stages, const Stretch& stretch, const PieceSink& sink) {
    if (stages.empty()) return sink(stretch.text);
    bool is_first = stretch.is_first;
    stages[0](stretch, [&](std::string_view piece) {
        is_first = is_first && !is_inside(piece, stretch.text);
        run_stages(stages.subspan(1), {.text = piece, .is_first = is_first}, sink);
        is_first = false;
    });
}

// Each stage cuts the pieces of the one before.
PreTokenizer build_sequence(const Json& config, std::string_view where) {
    std::vector<PreTokenizer> stages;
    const std::string path = json_path(where, "pretokenizers");
    for (const Json& stage : require_array(config, "pretokenizers", where))
        stages.push_back(build_any(stage, path));
    return [stages = std::move(stages)](const Stretch& stretch, const PieceSink& sink) {
        run_stages(stages, stretch, sink);
    };
}

void whole(const Stretch& stretch, const PieceSink& sink) {
    sink(stretch.text);
}

PreTokenizer isolate(const Regex& pattern) {
    return [pattern](const Stretch& stretch, const PieceSink& sink) {
        split_at(stretch.text, pattern, SplitBehavior::kIsolated, false, sink);
    };
}

// Every piece in the alphabet of bytes_to_characters(), after cutting by GPT-2's pattern if "use_regex".
PreTokenizer build_byte_level(const Json& config, std::string_view where) {
    const bool add_prefix_space = require_bool(config, "add_prefix_space", where);
    const bool use_regex = optional_bool(config, "use_regex", where).value_or(true);
    const PreTokenizer cut =
        use_regex ? isolate(Regex::from_pattern(kGpt2Pattern, "GPT-2's pattern")) : whole;
    return [cut, add_prefix_space](const Stretch& stretch, const PieceSink& sink) {
        const bool needs_space = add_prefix_space && !stretch.text.starts_with(' ');
        const std::string spaced = needs_space ? " " + std::string(stretch.text) : std::string();
        cut({.text = needs_space ? spaced : stretch.text},
            [&sink](std::string_view piece) { sink(bytes_to_characters(piece)); });
    };
}

SplitBehavior require_behavior(const Json& config, std::string_view where) {
    struct Named {
        std::string_view name;
        SplitBehavior behavior;
    };
    constexpr Named kBehaviors[] = {{"Removed", SplitBehavior::kRemoved},
                                    {"Isolated", SplitBehavior::kIsolated},
                                    {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
                                    {"MergedWithNext", SplitBehavior::kMergedWithNext},
                                    {"Contiguous", SplitBehavior::kContiguous}};
    const std::string name = require_string(config, "behavior", where);
    for (const Named& named : kBehaviors)
        if (named.name == name) return named.behavior;
    throw FormatError(
        fmt::format("{}: behavior \"{:.100}\" is none of Removed, Isolated, MergedWithPrevious, "
                    "MergedWithNext, Contiguous",
                    where, name));
}

PreTokenizer build_split(const Json& config, std::string_view where) {
    return [pattern = require_pattern(config, where), behavior = require_behavior(config, where),
            invert = require_bool(config, "invert", where)](const Stretch& stretch, const PieceSink& sink) {
        split_at(stretch.text, pattern, behavior, invert, sink);
    };
}

// Numbers as pieces of their own, digit by digit or whole.
PreTokenizer build_digits(const Json& config, std::string_view where) {
    const bool is_individual = optional_bool(config, "individual_digits", where).value_or(false);
    const auto behavior = is_individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous;
    return [behavior](const Stretch& stretch, const PieceSink& sink) {
        split_at(stretch.text, is_numeric, behavior, sink);
    };
}

// Runs of word characters, and runs of what is neither word character nor whitespace.
PreTokenizer build_whitespace(const Json& /*config*/, std::string_view /*where*/) {
    return [](const Stretch& stretch, const PieceSink& sink) {
        split_at(stretch.text, is_whitespace, SplitBehavior::kRemoved, [&sink](std::string_view run) {
            split_at(run, is_word_character, SplitBehavior::kContiguous, sink);
        });
    };
}

PreTokenizer build_whitespace_split(const Json& /*config*/, std::string_view /*where*/) {
    return [](const Stretch& stretch, const PieceSink& sink) {
        split_at(stretch.text, is_whitespace, SplitBehavior::kRemoved, sink);
    };
}

// Spaces become marks, a mark may come in front, and every mark begins a piece.
PreTokenizer build_metaspace(const Json& config, std::string_view where) {
    const MetaspaceOptions options = read_metaspace(config, where);
    return [options, space = Regex::from_literal(" ", where),
            mark = Regex::from_literal(options.mark, where)](const Stretch& stretch, const PieceSink& sink) {
        const std::size_t max_bytes = stretch.text.size() * options.mark.size();
        std::string text = replace_matches(stretch.text, space, options.mark, max_bytes);
        const bool prepends = options.prepend == PrependScheme::kAlways ||
                              (options.prepend == PrependScheme::kFirst && stretch.is_first);
        if (prepends && !text.starts_with(options.mark)) text.insert(0, options.mark);
        if (!options.splits) return sink(text);
        split_at(text, mark, SplitBehavior::kMergedWithNext, false, sink);
    };
}

constexpr PartKind<PreTokenizer> kKinds[] = {
    {"Sequence", build_sequence},     {"ByteLevel", build_byte_level},
    {"Split", build_split},           {"Digits", build_digits},
    {"Whitespace", build_whitespace}, {"WhitespaceSplit", build_whitespace_split},
    {"Metaspace", build_metaspace},
};

PreTokenizer build_any(const Json& config, std::string_view where) {
    return build_part<PreTokenizer>(config, where, kKinds);
}

// How many objects of this type (of any, if empty) are in `config`.
std::size_t count_parts(const Json& config, std::string_view type) {
    std::size_t count = 0;
    if (config.is_object() && config.contains("type"))
        count += type.empty() || config["type"] == type ? 1 : 0;
    if (config.is_structured())
        for (const Json& member : config) count += count_parts(member, type);
    return count;
}

}  // namespace

PreTokenizer build_pre_tokenizer(const Json* config, std::string_view where) {
    if (config == nullptr) return whole;
    if (count_parts(*config, "") > kMaxStages) {
        throw Unsupported(fmt::format("{}: more than {} stages are not supported", where, kMaxStages));
    }
    // Every further one would encode the text again and may double its length.
    for (const char* type : {"ByteLevel", "Metaspace"}) {
        if (count_parts(*config, type) > 1)
            throw Unsupported(fmt::format("{}: more than one {} stage is not supported", where, type));
    }
    return build_any(*config, where);
}

}  // namespace assay
