#include "text/continuation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "text/unicode.h"

namespace assay {
namespace {

constexpr std::size_t kOthers = 3;
// A sentence's three others come from the kPool nearest in length on either side, and are no neighbours of
// it.
constexpr std::ptrdiff_t kPool = 24, kNeighbours = 8;
constexpr std::size_t kMinSentences = 32;
constexpr std::size_t kMaxTextBytes = std::size_t{1} << 28;

// One that can be asked for.
struct Sentence {
    std::string_view text;     // without the space around
    std::string_view context;  // what stands before it
    std::ptrdiff_t place = 0;  // among all sentences of the text
    std::int64_t characters = 0;
};

std::vector<Sentence> sentences_of(std::string_view text) {
    std::vector<std::string_view> all;
    for_each_sentence(text, [&](std::string_view sentence) { all.push_back(sentence); });
    std::vector<Sentence> found;
    std::size_t from = 0;  // the last sentence from which on enough stands before this one
    for (std::size_t i = 0; i < all.size(); ++i) {
        while (from < i && all[i].data() - all[from + 1].data() >= std::ptrdiff_t{kContextBytes}) ++from;
        const char* begin = all[from].data();
        const std::string_view own = stripped(all[i]),
                               before(begin, static_cast<std::size_t>(all[i].data() - begin));
        const std::int64_t length = characters({.continuation = std::string(own)});
        if (before.size() >= kContextBytes && length >= kMinSentence && length <= kMaxSentence &&
            !stripped(before).empty())
            found.push_back({own, stripped(before), static_cast<std::ptrdiff_t>(i), length});
    }
    return found;
}

// Draws of sentences by rank of length.
class Drawer {
  public:
    Drawer(const std::vector<Sentence>& sentences, std::uint64_t seed) : sentences_(sentences), rng_(seed) {
        for (std::size_t i = 0; i < sentences.size(); ++i) by_length_.push_back(i);
        std::stable_sort(by_length_.begin(), by_length_.end(), [&](std::size_t a, std::size_t b) {
            return sentences[a].characters < sentences[b].characters;
        });
        ranks_.resize(sentences.size());
        for (std::size_t r = 0; r < by_length_.size(); ++r)
            ranks_[by_length_[r]] = static_cast<std::ptrdiff_t>(r);
    }

    // All sentences in random order.
    std::vector<std::size_t> order() {
        std::vector<std::size_t> order(sentences_.size());
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
        for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng_.below(i)]);
        return order;
    }

    std::size_t below(std::size_t n) { return rng_.below(n); }

    // Up to kOthers of about the length of sentence `own`.
    std::vector<std::string_view> others(std::size_t own) {
        std::vector<std::string_view> pool;
        const auto most = std::ssize(by_length_) - 1;
        const std::ptrdiff_t first = std::max<std::ptrdiff_t>(0, ranks_[own] - kPool),
                             last = std::min<std::ptrdiff_t>(most, ranks_[own] + kPool);
        for (std::ptrdiff_t r = first; r <= last; ++r) {
            const Sentence& other = sentences_[by_length_[static_cast<std::size_t>(r)]];
            const bool near = std::abs(other.place - sentences_[own].place) <= kNeighbours;
            const bool known = other.text == sentences_[own].text ||
                               std::find(pool.begin(), pool.end(), other.text) != pool.end();
            if (!near && !known) pool.push_back(other.text);
        }
        std::vector<std::string_view> drawn;
        while (drawn.size() < kOthers && !pool.empty()) {
            std::swap(pool[rng_.below(pool.size())], pool.back());
            drawn.push_back(pool.back());
            pool.pop_back();
        }
        return drawn;
    }

  private:
    const std::vector<Sentence>& sentences_;
    Rng rng_;
    std::vector<std::size_t> by_length_;
    std::vector<std::ptrdiff_t> ranks_;
};

TaskQuestion ask(const Sentence& sentence, std::vector<std::string_view> texts, std::size_t answer) {
    texts.insert(texts.begin() + static_cast<std::ptrdiff_t>(answer), sentence.text);
    TaskQuestion question{.id = fmt::format("sentence {}", sentence.place),
                          .context = std::string(sentence.context),
                          .choices = {},
                          .answer = answer};
    for (const std::string_view text : texts)
        question.choices.push_back({.continuation = " " + std::string(text)});
    return question;
}

}  // namespace

Task continuation_task(std::string_view text, std::string_view what, const ContinuationOptions& options) {
    if (text.size() > kMaxTextBytes)
        throw FormatError(
            fmt::format("{}: {} bytes; give a part of at most {}", what, text.size(), kMaxTextBytes));
    require_utf8(text, what);
    const std::vector<Sentence> sentences = sentences_of(text);
    if (sentences.size() < kMinSentences) {
        throw FormatError(
            fmt::format("{}: {} sentences of {} to {} characters with {} bytes before them; {} are needed: "
                        "give a longer text",
                        what, sentences.size(), kMinSentence, kMaxSentence, kContextBytes, kMinSentences));
    }
    Drawer drawer(sentences, options.seed);
    Task task{.name = "continuation", .metric = TaskMetric::kAccNorm, .subjects = {{}}};
    std::vector<std::pair<std::size_t, TaskQuestion>> asked;
    for (const std::size_t own : drawer.order()) {
        if (std::ssize(asked) == options.questions) break;
        auto others = drawer.others(own);
        if (others.size() == kOthers)
            asked.emplace_back(own, ask(sentences[own], std::move(others), drawer.below(kOthers + 1)));
    }
    if (asked.empty())
        throw FormatError(fmt::format("{}: its sentences repeat each other: none has three others", what));
    std::sort(asked.begin(), asked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [own, question] : asked) task.questions.push_back(std::move(question));
    return task;
}

}  // namespace assay
