// Where a text can be cut without changing what byte pair encoding makes of it.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_set>

#include "text/split.h"

namespace assay {

// The pairs of characters that stand side by side in some token. Between any other two characters no merge
// ever reaches across, so the text before and behind is encoded by itself: texts that nothing else cuts
// (SentencePiece's) become words.
class Bonds {
  public:
    void add(std::string_view token);

    // Cuts `text` where nothing bonds the neighbours and is_known(character) holds for both (unknown ones may
    // become one token).
    template <class IsKnown>
    void cut(std::string_view text, const IsKnown& is_known, const PieceSink& sink) const {
        std::size_t begin = 0;
        for_each_pair(text, [&](const Pair& pair) {
            if (pairs_.contains(pair.key()) || !is_known(pair.left) || !is_known(pair.right)) return;
            sink(text.substr(begin, pair.at - begin));
            begin = pair.at;
        });
        if (begin < text.size()) sink(text.substr(begin));
    }

  private:
    struct Pair {
        std::size_t at = 0;  // where the right one begins
        std::string_view left;
        std::string_view right;
        std::uint64_t key() const;
    };
    static void for_each_pair(std::string_view text, const std::function<void(const Pair&)>& found);

    std::unordered_set<std::uint64_t> pairs_;
};

}  // namespace assay
