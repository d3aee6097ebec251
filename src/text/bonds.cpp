#include "text/bonds.h"

#include "text/unicode.h"

namespace assay {

std::uint64_t Bonds::Pair::key() const {
    return std::uint64_t{character_at(left, 0).code} << 32 | character_at(right, 0).code;
}

void Bonds::for_each_pair(std::string_view text, const std::function<void(const Pair&)>& found) {
    std::string_view left;
    for (std::size_t at = 0; at < text.size();) {
        const std::string_view right = text.substr(at, character_at(text, at).bytes);
        if (!left.empty()) found({.at = at, .left = left, .right = right});
        left = right;
        at += right.size();
    }
}

void Bonds::add(std::string_view token) {
    for_each_pair(token, [this](const Pair& pair) { pairs_.insert(pair.key()); });
}

}  // namespace assay
