// Added tokens: texts that are one token wherever they stand, found before anything else happens to a text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/byte_trie.h"
#include "text/normalizer.h"
#include "text/vocabulary.h"

namespace assay {

struct AddedToken {
    std::string content;
    bool single_word = false;  // only where no word character touches it
    bool lstrip = false;       // swallows the whitespace before it
    bool rstrip = false;       // and behind it
    bool normalized = false;   // looked for in the normalized text, else in the text as given
    bool special = false;      // left out when decoding without special tokens
    bool in_text = true;       // looked for in texts at all; else only a post-processor puts it there

    bool operator==(const AddedToken&) const = default;
};

// The parts of a text in order: found tokens with their id, and what lies between them without.
using TokenPartSink = std::function<void(std::string_view part, std::optional<std::int32_t> id)>;

class AddedTokens {
  public:
    // Ids are those of the vocabulary; contents that are not in it get the ids behind its size, in the order
    // of `tokens`, whatever a file says: that is what the `tokenizers` library does. Throws FormatError,
    // naming `where`, for a content that is given twice with different properties, and where the normalizer
    // refuses one.
    AddedTokens(const std::vector<AddedToken>& tokens, const Vocabulary& vocabulary,
                const Normalizer& normalizer, std::string_view where);

    // Cuts a text at the leftmost-longest tokens: those with normalized false, or those with normalized true.
    void split_raw(std::string_view text, const TokenPartSink& sink) const { split(raw_, text, sink); }
    void split_normalized(std::string_view text, const TokenPartSink& sink) const {
        split(normalized_, text, sink);
    }

    std::optional<std::int32_t> id_of(std::string_view content) const { return ids_.id_of(content); }
    // The text that an added token decodes to: its content, normalized where the token is `normalized`. Null
    // for an id that is no added token's.
    const std::string* find_text(std::int32_t id) const;
    // Is this the content of a special token?
    bool is_special(std::string_view text) const;
    std::int64_t end_id() const { return ids_.end_id(); }

  private:
    struct Entry {
        AddedToken token;
        std::string text;
    };

    void split(const ByteTrie& trie, std::string_view text, const TokenPartSink& sink) const;

    Vocabulary ids_;
    std::unordered_map<std::int32_t, Entry> entries_;
    ByteTrie raw_;
    ByteTrie normalized_;
};

}  // namespace assay
