#include "model/prefix_tree.h"

#include <algorithm>

namespace assay {
namespace {

std::int64_t rows_of(const EvaluationWindow& window) {
    return static_cast<std::int64_t>(window.tokens.size()) - 1;
}

class TreeBuilder {
  public:
    explicit TreeBuilder(std::span<const EvaluationWindow> windows)
        : windows_(windows), common_(windows.size()) {
        for (std::size_t w = 1; w < windows.size(); ++w) common_[w] = common_rows(windows[w - 1], windows[w]);
    }

    PrefixTree build() {
        grow(0, windows_.size(), -1);
        return std::move(tree_);
    }

  private:
    // Windows [first, last), which have all rows on the path in common: a part for what more they share, and
    // what follows it.
    void grow(std::size_t first, std::size_t last, std::int64_t parent) {
        const auto depth = std::ssize(path_);
        std::int64_t shared = rows_of(windows_[first]);
        for (std::size_t w = first + 1; w < last; ++w) shared = std::min(shared, common_[w]);
        if (shared > depth) parent = add_part(windows_[first], depth, shared, parent);
        if (last == first + 1) {
            score(windows_[first]);
        } else {
            for (std::size_t begin = first; begin < last;) {
                std::size_t end = begin + 1;
                while (end < last && common_[end] > shared) ++end;
                grow(begin, end, parent);
                begin = end;
            }
        }
        path_.resize(static_cast<std::size_t>(depth));
    }

    std::int64_t add_part(const EvaluationWindow& window, std::int64_t begin, std::int64_t end,
                          std::int64_t parent) {
        tree_.parts.emplace_back(window.tokens.begin() + begin, window.tokens.begin() + end);
        tree_.continued.push_back(parent);
        for (; begin < end; ++begin) path_.push_back(rows_++);
        return std::ssize(tree_.parts) - 1;
    }

    void score(const EvaluationWindow& window) {
        tree_.scored_rows.insert(tree_.scored_rows.end(), path_.begin() + window.context, path_.end());
    }

    std::span<const EvaluationWindow> windows_;
    std::vector<std::int64_t> common_;  // of each window with the one before it
    std::vector<std::int64_t> path_;    // the row of each position
    std::int64_t rows_ = 0;
    PrefixTree tree_;
};

}  // namespace

std::int64_t common_rows(const EvaluationWindow& a, const EvaluationWindow& b) {
    const auto end = a.tokens.begin() + std::min(rows_of(a), rows_of(b));
    return std::mismatch(a.tokens.begin(), end, b.tokens.begin()).first - a.tokens.begin();
}

PrefixTree make_prefix_tree(std::span<const EvaluationWindow> windows) {
    return TreeBuilder(windows).build();
}

}  // namespace assay
