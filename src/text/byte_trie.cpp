#include "text/byte_trie.h"

#include <utility>

namespace assay {

void ByteTrie::grow() {
    const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(2 * slots_.size()));
    for (const Slot& slot : old)
        if (slot.child != 0) slots_[slot_of(slot.edge)] = slot;
}

void ByteTrie::add(std::string_view text, std::int32_t value) {
    if (text.empty()) return;
    std::uint32_t node = 0;
    for (const char byte : text) {
        const std::uint64_t edge = edge_of(node, byte);
        Slot& slot = slots_[slot_of(edge)];
        if (slot.child != 0) {
            node = slot.child;
            continue;
        }
        node = static_cast<std::uint32_t>(values_.size());
        slot = {.edge = edge, .child = node};
        values_.push_back(-1);
        if (2 * values_.size() > slots_.size()) grow();
    }
    if (values_[node] < 0) values_[node] = value;
}

std::optional<ByteTrie::Match> ByteTrie::longest_at(std::string_view text, std::size_t begin) const {
    std::optional<Match> longest;
    for_each_at(text, begin, [&](const Match& match) { longest = match; });
    return longest;
}

}  // namespace assay
