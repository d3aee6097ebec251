// A two-way map between tokens' texts and ids.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace assay {

// Ids are smaller than this, which leaves room to add tokens.
inline constexpr std::int32_t kMaxTokenId = 1 << 30;

// Texts as keys that string views find without a copy.
struct TextHash : std::hash<std::string_view> {
    using is_transparent = void;
};

class Vocabulary {
  public:
    // Throws FormatError, naming `where`, for a text or an id that is there already.
    void add(std::string_view token, std::int32_t id, std::string_view where);

    std::optional<std::int32_t> id_of(std::string_view token) const;
    // Null for an id without a token.
    const std::string* find_text(std::int32_t id) const;

    std::int64_t size() const { return static_cast<std::int64_t>(ids_.size()); }
    // One more than the largest id; 0 if empty.
    std::int64_t end_id() const { return end_id_; }

  private:
    std::unordered_map<std::string, std::int32_t, TextHash, std::equal_to<>> ids_;
    std::unordered_map<std::int32_t, std::string> texts_;
    std::int64_t end_id_ = 0;
};

}  // namespace assay
