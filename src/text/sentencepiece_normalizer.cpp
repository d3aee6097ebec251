#include "text/sentencepiece_normalizer.h"

#include <fmt/format.h>

#include <memory>

#include "text/byte_trie.h"
#include "text/charsmap.h"
#include "text/metaspace.h"
#include "text/pattern.h"
#include "text/unicode.h"

namespace assay {
namespace {

class Rules {
  public:
    Rules(const SentencePieceModel& model, std::string_view what)
        : charsmap_(model.charsmap, fmt::format("{}: precompiled_charsmap", what)),
          space_(model.escape_whitespaces ? kSpaceMark : " "),
          is_prefixed_(model.add_dummy_prefix && !model.treat_whitespace_as_suffix),
          is_suffixed_(model.add_dummy_prefix && model.treat_whitespace_as_suffix),
          removes_extra_(model.remove_extra_whitespaces) {
        for (const auto& piece : model.pieces)
            if (piece.type == SentencePieceModel::PieceType::kUserDefined) user_defined_.add(piece.text, 0);
    }

    std::string apply(std::string_view text, std::size_t max_bytes) const {
        if (removes_extra_) text.remove_prefix(leading_spaces(text));
        std::string out;
        if (text.empty()) return out;
        if (is_prefixed_) out += space_;
        bool follows_space = removes_extra_;
        while (!text.empty()) {
            Charsmap::Match chunk = next(text);
            text.remove_prefix(chunk.bytes);
            while (follows_space && chunk.replacement.starts_with(' ')) chunk.replacement.remove_prefix(1);
            if (!chunk.replacement.empty()) follows_space = chunk.replacement.ends_with(' ');
            for (const char byte : chunk.replacement) byte == ' ' ? out += space_ : out += byte;
            follows_space = follows_space && removes_extra_;
            check_growth(out.size(), max_bytes);
        }
        while (removes_extra_ && out.ends_with(space_)) out.resize(out.size() - space_.size());
        if (is_suffixed_) out += space_;
        return out;
    }

  private:
    // What `text` begins with and what that becomes.
    Charsmap::Match next(std::string_view text) const {
        if (const auto piece = user_defined_.longest_at(text, 0))
            return {piece->end, text.substr(0, piece->end)};
        if (const auto match = charsmap_.longest(text)) return *match;
        const std::size_t bytes = character_at(text, 0).bytes;
        return {bytes, text.substr(0, bytes)};
    }

    std::size_t leading_spaces(std::string_view text) const {
        std::size_t bytes = 0;
        while (bytes < text.size()) {
            const Charsmap::Match chunk = next(text.substr(bytes));
            if (chunk.replacement != " ") break;
            bytes += chunk.bytes;
        }
        return bytes;
    }

    Charsmap charsmap_;
    ByteTrie user_defined_;
    std::string_view space_;
    bool is_prefixed_;
    bool is_suffixed_;
    bool removes_extra_;
};

}  // namespace

Normalizer sentencepiece_normalizer(const SentencePieceModel& model, std::string_view what) {
    return [rules = std::make_shared<const Rules>(model, what)](
               const std::string& text, std::size_t max_bytes) { return rules->apply(text, max_bytes); };
}

}  // namespace assay
