#include "text/split.h"

#include "text/unicode.h"

namespace assay {
namespace {

// Takes the matches in order and hands on finished pieces; at most one piece is open.
class Cutter {
  public:
    Cutter(std::string_view text, SplitBehavior behavior, bool invert, const PieceSink& sink)
        : text_(text), behavior_(behavior), invert_(invert), sink_(sink) {}

    void match(std::size_t begin, std::size_t end) {
        if (begin != covered_) part(covered_, begin, false);
        part(begin, end, true);
        covered_ = end;
    }

    void finish() {
        if (covered_ != text_.size()) part(covered_, text_.size(), false);
        flush();
    }

  private:
    void part(std::size_t begin, std::size_t end, bool is_match) {
        is_match = is_match != invert_;
        if (!joins(is_match)) {
            flush();
            begin_ = begin;
        }
        end_ = end;
        last_is_match_ = is_match;
        is_open_ = true;
    }

    bool joins(bool is_match) const {
        if (!is_open_) return false;
        switch (behavior_) {
            case SplitBehavior::kRemoved:
            case SplitBehavior::kIsolated:
                return false;
            case SplitBehavior::kMergedWithPrevious:
                return is_match && !last_is_match_;
            case SplitBehavior::kMergedWithNext:
                return !is_match && last_is_match_;
            case SplitBehavior::kContiguous:
                return is_match == last_is_match_;
        }
        return false;
    }

    void flush() {
        const bool is_dropped = behavior_ == SplitBehavior::kRemoved && last_is_match_;
        if (is_open_ && !is_dropped && begin_ < end_) sink_(text_.substr(begin_, end_ - begin_));
    }

    std::string_view text_;
    SplitBehavior behavior_;
    bool invert_;
    const PieceSink& sink_;
    std::size_t covered_ = 0;  // everything before has been taken as a match or a gap
    bool is_open_ = false;
    std::size_t begin_ = 0, end_ = 0;  // the open piece
    bool last_is_match_ = false;
};

}  // namespace

void split_at(std::string_view text, const Regex& pattern, SplitBehavior behavior, bool invert,
              const PieceSink& sink) {
    Cutter cutter(text, behavior, invert, sink);
    pattern.for_each_match(text, [&](std::size_t begin, std::size_t end) { cutter.match(begin, end); });
    cutter.finish();
}

void split_at(std::string_view text, bool (*is_match)(char32_t), SplitBehavior behavior,
              const PieceSink& sink) {
    Cutter cutter(text, behavior, false, sink);
    for (std::size_t offset = 0; offset < text.size();) {
        const Character c = character_at(text, offset);
        if (is_match(c.code)) cutter.match(offset, offset + c.bytes);
        offset += c.bytes;
    }
    cutter.finish();
}

}  // namespace assay
