// The merging loop of byte pair encoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <queue>
#include <vector>

namespace assay {

// A stretch of a piece that is one symbol so far.
struct Symbol {
    std::size_t begin = 0;  // bytes of the piece
    std::size_t end = 0;
    std::int32_t id = 0;         // its token, -1 for none
    bool is_fixed = false;       // never merged
    bool is_alive = true;        // false: has become part of the symbol before it
    std::int64_t previous = -1;  // indexes of the living neighbours, -1 for none
    std::int64_t next = -1;
};

// What two neighbouring symbols become; lower ranks come first.
struct MergedSymbol {
    std::int32_t rank = 0;
    std::int32_t id = 0;
};

// Links every symbol with its neighbours.
void link_symbols(std::vector<Symbol>& symbols);

// Joins, again and again, the neighbouring pair of lowest rank (leftmost among equals) until
// find(left, right) -> optional<MergedSymbol> knows no more. O(n log n). `symbols` are linked.
template <class Find>
void merge_symbols(std::vector<Symbol>& symbols, const Find& find) {
    struct Candidate {
        std::int32_t rank;
        std::int32_t id;
        std::int64_t position;                          // of the left symbol
        bool operator<(const Candidate& other) const {  // the top of a heap is the best one
            return rank != other.rank ? rank > other.rank : position > other.position;
        }
    };
    const auto candidate_at = [&](std::int64_t left) -> std::optional<Candidate> {
        if (left < 0 || symbols[left].next < 0) return std::nullopt;
        const std::optional<MergedSymbol> merged = find(symbols[left], symbols[symbols[left].next]);
        if (!merged) return std::nullopt;
        return Candidate{.rank = merged->rank, .id = merged->id, .position = left};
    };
    std::vector<Candidate> first;
    for (std::size_t at = 0; at + 1 < symbols.size(); ++at)
        if (const auto candidate = candidate_at(static_cast<std::int64_t>(at))) first.push_back(*candidate);
    std::priority_queue<Candidate> queue({}, std::move(first));

    while (!queue.empty()) {
        const Candidate best = queue.top();
        queue.pop();
        Symbol& left = symbols[best.position];
        if (!left.is_alive || left.next < 0) continue;
        Symbol& right = symbols[left.next];
        const std::optional<MergedSymbol> merged = find(left, right);
        if (!merged || merged->id != best.id) continue;  // the pair has changed since
        left.id = best.id;
        left.end = right.end;
        left.next = right.next;
        right.is_alive = false;
        if (right.next >= 0) symbols[right.next].previous = best.position;
        for (const std::int64_t position : {left.previous, best.position})
            if (const auto candidate = candidate_at(position)) queue.push(*candidate);
    }
}

}  // namespace assay
