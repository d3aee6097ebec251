#include "text/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <span>
#include <unordered_set>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/rng.h"
#include "base/sha256.h"
#include "text/windows.h"

namespace assay {
namespace {

constexpr std::size_t kPieceBytesPerToken = 16;  // four windows of English text

std::vector<std::size_t> shuffled(std::size_t count, Rng& rng) {
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t i = count; i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
    return order;
}

class Sampler {
  public:
    Sampler(const DocumentSet& documents, const Tokenizer& tokenizer, const SamplingOptions& options)
        : documents_(documents),
          tokenizer_(tokenizer),
          options_(options),
          rng_(options.seed),
          most_per_document_(static_cast<std::size_t>(ceil_div(
              options.samples, std::max<std::int64_t>(1, static_cast<std::int64_t>(documents.size()))))) {
        if (tokenizer.adds_bos()) bos_ = tokenizer.bos_id();
        own_tokens_ = static_cast<std::size_t>(options.length - (bos_ ? 1 : 0));
        out_.bos = bos_.has_value();
    }

    SampledWindows run() {
        for (const std::size_t i : shuffled(documents_.size(), rng_)) {
            if (is_full()) break;
            read(i);
        }
        for (auto& window : spare_) {
            if (!is_full()) out_.windows.push_back(std::move(window));
        }
        if (out_.windows.empty()) {
            throw FormatError(fmt::format(
                "the calibration text has {} tokens, too few for one window of {}: use a smaller --length "
                "or more text",
                joined_.size(), options_.length));
        }
        return std::move(out_);
    }

  private:
    using Ids = std::span<const std::int32_t>;

    bool is_full() const { return std::ssize(out_.windows) == options_.samples; }

    void read(std::size_t index) {
        const std::string text = documents_.read(index);
        const std::string hash = sha256_hex(std::as_bytes(std::span(text)));
        if (!belongs(hash)) return;
        ++out_.documents_read;
        if (!texts_.insert(hash).second) {
            ++out_.repeated_documents;
            return;
        }
        const std::vector<std::int32_t> ids = tokenizer_.encode(text, false);
        const std::size_t count = ids.size() / own_tokens_;
        if (count == 0) return join(ids);
        const std::size_t first = rng_.below(ids.size() - count * own_tokens_ + 1);
        const auto order = shuffled(count, rng_);
        for (std::size_t i = 0; i < count; ++i) {
            auto window = window_of(Ids(ids).subspan(first + order[i] * own_tokens_, own_tokens_));
            if (i < most_per_document_ && !is_full())
                out_.windows.push_back(std::move(window));
            else if (std::ssize(spare_) < options_.samples)
                spare_.push_back(std::move(window));
        }
        join(Ids(ids).first(first));
        join(Ids(ids).subspan(first + count * own_tokens_));
    }

    bool belongs(const std::string& hash) const {
        if (options_.documents == Documents::kAll) return true;
        const bool held_out = hash.front() >= '0' && hash.front() <= '2';  // 3 of 16 hex digits
        return held_out == (options_.documents == Documents::kHeldOut);
    }

    std::vector<std::int32_t> window_of(Ids ids) const {
        std::vector<std::int32_t> window;
        if (bos_) window.push_back(*bos_);
        window.insert(window.end(), ids.begin(), ids.end());
        return window;
    }

    void join(Ids ids) {
        joined_.insert(joined_.end(), ids.begin(), ids.end());
        if (joined_.size() < own_tokens_ || is_full()) return;
        out_.windows.push_back(window_of(Ids(joined_).first(own_tokens_)));
        ++out_.joined_windows;
        joined_.erase(joined_.begin(), joined_.begin() + static_cast<std::ptrdiff_t>(own_tokens_));
    }

    const DocumentSet& documents_;
    const Tokenizer& tokenizer_;
    const SamplingOptions& options_;
    Rng rng_;
    std::size_t most_per_document_;
    std::optional<std::int32_t> bos_;
    std::size_t own_tokens_ = 0;                    // of a window, without BOS
    std::unordered_set<std::string> texts_;         // hashes of those read
    std::vector<std::int32_t> joined_;              // shorter than a window
    std::vector<std::vector<std::int32_t>> spare_;  // beyond their documents' share
    SampledWindows out_;
};

}  // namespace

std::size_t sampling_piece_bytes(std::int64_t length) {
    return std::max<std::size_t>(4, kPieceBytesPerToken * static_cast<std::size_t>(length));
}

SampledWindows sample_windows(const DocumentSet& documents, const Tokenizer& tokenizer,
                              const SamplingOptions& options) {
    if (options.samples < 1)
        throw InvalidArgument(fmt::format("--samples {}: at least one window is needed", options.samples));
    if (options.length < kMinWindowTokens + 1) {
        throw InvalidArgument(fmt::format("--length {} is too short: windows need {} tokens or more",
                                          options.length, kMinWindowTokens + 1));
    }
    return Sampler(documents, tokenizer, options).run();
}

}  // namespace assay
