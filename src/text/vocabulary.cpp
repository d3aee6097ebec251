#include "text/vocabulary.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace assay {

void Vocabulary::add(std::string_view token, std::int32_t id, std::string_view where) {
    const auto [by_id, is_new_id] = texts_.emplace(id, token);
    if (!is_new_id) {
        throw FormatError(
            fmt::format("{}: \"{:.100}\" and \"{:.100}\" both have id {}", where, by_id->second, token, id));
    }
    const auto [by_text, is_new_text] = ids_.emplace(token, id);
    if (!is_new_text) {
        throw FormatError(
            fmt::format("{}: \"{:.100}\" has two ids, {} and {}", where, token, by_text->second, id));
    }
    end_id_ = std::max(end_id_, std::int64_t{id} + 1);
}

std::optional<std::int32_t> Vocabulary::id_of(std::string_view token) const {
    const auto found = ids_.find(token);
    if (found == ids_.end()) return std::nullopt;
    return found->second;
}

const std::string* Vocabulary::find_text(std::int32_t id) const {
    const auto found = texts_.find(id);
    return found == texts_.end() ? nullptr : &found->second;
}

}  // namespace assay
