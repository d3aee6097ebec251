// A prefix tree over bytes: which of many texts stand at a place of another text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace assay {

class ByteTrie {
  public:
    // A text that stands at the place asked for: where it ends and its value.
    struct Match {
        std::size_t end = 0;
        std::int32_t value = 0;
    };

    // Adds `text` with a value >= 0. Empty texts are left out; of equal texts the first one counts.
    void add(std::string_view text, std::int32_t value);

    // Calls found(Match) for every entry that begins at `begin`, the shortest first. O(length of the
    // longest).
    template <class Found>
    void for_each_at(std::string_view text, std::size_t begin, const Found& found) const {
        std::uint32_t node = 0;
        for (std::size_t at = begin; at < text.size(); ++at) {
            node = child(node, text[at]);
            if (node == 0) return;
            if (values_[node] >= 0) found(Match{.end = at + 1, .value = values_[node]});
        }
    }

    // The longest entry that begins at `begin`.
    std::optional<Match> longest_at(std::string_view text, std::size_t begin) const;

  private:
    // Edges are slots of one open-addressing table; a slot without a child is free, for the root is no child.
    struct Slot {
        std::uint64_t edge = 0;
        std::uint32_t child = 0;
    };

    static std::uint64_t edge_of(std::uint32_t node, char byte) {
        return std::uint64_t{node} << 8 | static_cast<unsigned char>(byte);
    }
    std::size_t slot_of(std::uint64_t edge) const {
        std::size_t at = static_cast<std::size_t>(edge * 0x9E3779B97F4A7C15u >> 32) & (slots_.size() - 1);
        while (slots_[at].child != 0 && slots_[at].edge != edge) at = (at + 1) & (slots_.size() - 1);
        return at;
    }
    std::uint32_t child(std::uint32_t node, char byte) const {
        return slots_[slot_of(edge_of(node, byte))].child;
    }
    void grow();

    std::vector<Slot> slots_ = std::vector<Slot>(16);  // a power of two, at most half of them taken
    std::vector<std::int32_t> values_ = {-1};          // by node; -1 where no entry ends
};

}  // namespace assay
