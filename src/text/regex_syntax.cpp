#include "text/regex_syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <vector>

#include "base/error.h"
#include "text/unicode.h"
#include "text/unicode_additions.h"

namespace assay {
namespace {

// The insides of character classes: Oniguruma's \s, \w (with its own six Latin-1 numbers) and \h.
constexpr std::string_view kSpaces =
    R"(\t-\r\x{20}\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";
constexpr std::string_view kHexDigits = "0-9A-Fa-f";
constexpr std::string_view kCategories[] = {"L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M",  "Mn", "Mc", "Me",
                                            "N",  "Nd", "Nl", "No", "P",  "Pc", "Pd", "Ps", "Pe", "Pi",
                                            "Pf", "Po", "S",  "Sm", "Sc", "Sk", "So", "Z",  "Zs", "Zl",
                                            "Zp", "C",  "Cc", "Cf", "Cn", "Co", "Cs"};

bool is_ascii_punctuation(char c) {
    return static_cast<unsigned char>(c) < 0x80 && std::ispunct(c) != 0;
}

std::string word_class() {
    std::string inside = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE})";
    for (const char* property : {"Alphabetic", "M", "Nd", "Pc"}) inside += unicode_additions_class(property);
    return inside;
}

// The name of a property as PCRE2 writes it: categories as they are, anything else is a script.
std::string pcre2_property(std::string_view name) {
    const bool is_plain =
        std::ranges::find(kCategories, name) != std::end(kCategories) || name == "Alphabetic";
    return is_plain ? std::string(name) : fmt::format("sc:{}", name);
}

class Translator {
  public:
    Translator(std::string_view pattern, std::string_view where) : in_(pattern), where_(where) {}

    std::string run() {
        groups_.push_back({});
        while (!at_end()) item();
        if (groups_.size() > 1) fail("a group is not closed");
        out_.append(groups_.back().options, ')');
        return std::move(out_);
    }

  private:
    static constexpr std::size_t kNone = ~std::size_t{0};

    struct Group {
        std::size_t begin = 0;    // in out_
        std::size_t options = 0;  // groups opened by (?i), closed with this one
    };
    // One member of a character class: a single character, which may bound a range, or a set.
    struct Member {
        std::string text;
        bool is_set = false;
    };
    struct Property {
        std::string name;
        bool negated = false;
    };

    bool at_end() const { return pos_ == in_.size(); }
    bool next_is(std::string_view text) const { return in_.substr(pos_).starts_with(text); }
    bool accept(std::string_view text) {
        if (!next_is(text)) return false;
        pos_ += text.size();
        return true;
    }
    std::string quoted() const { return fmt::format("{}: regular expression \"{:.200}\"", where_, in_); }
    [[noreturn]] void fail(std::string_view reason) const {
        throw FormatError(fmt::format("{}: {}", quoted(), reason));
    }
    [[noreturn]] void refuse(std::string_view construct) const {
        throw Unsupported(
            fmt::format("{}: {} is not supported; supported are groups, lookarounds, (?i) and (?m), classes "
                        "without set operations, \\s \\w \\d \\h \\b, categories and scripts",
                        quoted(), construct));
    }

    void item() {
        switch (in_[pos_]) {
            case '(':
                return open_group();
            case ')':
                return close_group();
            case '[':
                return character_class();
            case '\\':
                return escape();
            case '*':
            case '+':
            case '?':
                return repeat();
            case '{':
                return interval();
            case '|':
            case '^':
            case '$':
                atom_ = kNone;
                out_ += in_[pos_++];
                return;
            default:
                return literal();
        }
    }

    void emit_atom(std::string_view text) {
        atom_ = out_.size();
        out_ += text;
    }

    void literal() {
        const std::size_t bytes = character_at(in_, pos_).bytes;
        emit_atom(in_.substr(pos_, bytes));
        pos_ += bytes;
    }

    void open_group() {
        for (const char* opening : {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"}) {
            if (accept(opening)) return push_group(opening);
        }
        if (next_is("(*")) refuse("(*");
        if (!accept("(?")) {
            ++pos_;
            return push_group("(?:");  // nothing refers to captures
        }
        std::string options;
        for (; !at_end() && (in_[pos_] == 'i' || in_[pos_] == 'm' || in_[pos_] == '-'); ++pos_) {
            options += in_[pos_] == 'm' ? 's' : in_[pos_];
        }
        if (accept(":")) return push_group("(?" + options + ":");
        if (options.empty() || !accept(")")) refuse("this kind of group");
        // An option in the middle holds to the end of its group, alternatives included.
        out_ += "(?" + options + ":";
        ++groups_.back().options;
        atom_ = kNone;
    }

    void push_group(std::string_view opening) {
        groups_.push_back({.begin = out_.size()});
        out_ += opening;
        atom_ = kNone;
    }

    void close_group() {
        if (groups_.size() == 1) fail("a ) closes no group");
        ++pos_;
        out_.append(groups_.back().options + 1, ')');
        atom_ = groups_.back().begin;
        groups_.pop_back();
    }

    void require_atom() const {
        if (atom_ == kNone) refuse("a repetition of nothing or of a repetition");
    }

    void repeat() {
        require_atom();
        out_ += in_[pos_++];
        if (next_is("?") || next_is("+")) out_ += in_[pos_++];
        atom_ = kNone;
    }

    // {n} {n,} {n,m} {,m}; anything else is a literal brace. After it Oniguruma reads ? and + differently
    // from PCRE2: {n}? is an optional {n}, and {..}+ repeats the repetition.
    void interval() {
        const std::size_t close = in_.find('}', pos_);
        const std::string_view inside = in_.substr(pos_ + 1, close == in_.npos ? 0 : close - pos_ - 1);
        const std::size_t comma = inside.find(',');
        const std::string_view least = inside.substr(0, comma);
        const std::string_view most = comma == inside.npos ? least : inside.substr(comma + 1);
        const auto is_number = [](std::string_view s) {
            return std::ranges::all_of(s, [](char c) { return c >= '0' && c <= '9'; });
        };
        if (!is_number(least) || !is_number(most) || (least.empty() && most.empty())) {
            ++pos_;
            return emit_atom("\\{");
        }
        require_atom();
        pos_ = close + 1;
        const bool is_exact = comma == inside.npos;
        out_ += is_exact ? fmt::format("{{{}}}", least)
                         : fmt::format("{{{},{}}}", least.empty() ? "0" : least, most);
        const bool is_repeated = accept("+");
        const bool is_lazy = !is_repeated && accept("?");
        if (is_repeated || (is_lazy && is_exact)) {
            out_.insert(atom_, "(?:");
            out_ += is_repeated ? ")+" : ")?";
        } else if (is_lazy) {
            out_ += '?';
        }
        atom_ = kNone;
    }

    // Outside of classes: assertions, then what classes know too.
    void escape() {
        if (accept("\\A") || accept("\\z") || accept("\\Z")) {
            atom_ = kNone;
            out_ += in_.substr(pos_ - 2, 2);
        } else if (accept("\\b")) {
            emit_atom(fmt::format("(?:(?<=[{0}])(?![{0}])|(?<![{0}])(?=[{0}]))", word_class()));
        } else if (accept("\\B")) {
            emit_atom(fmt::format("(?:(?<=[{0}])(?=[{0}])|(?<![{0}])(?![{0}]))", word_class()));
        } else if (accept("\\S")) {
            emit_atom(fmt::format("[^{}]", kSpaces));
        } else if (accept("\\W")) {
            emit_atom(fmt::format("[^{}]", word_class()));
        } else if (accept("\\H")) {
            emit_atom(fmt::format("[^{}]", kHexDigits));
        } else if (accept("\\D")) {
            emit_atom(set_of({"Nd", true}));
        } else if (next_is("\\p") || next_is("\\P")) {
            emit_atom(set_of(property()));
        } else {
            const Member member = escaped_member();
            emit_atom(member.is_set ? "[" + member.text + "]" : member.text);
        }
    }

    static std::string set_of(const Property& p) {
        return fmt::format("[{}\\p{{{}}}{}]", p.negated ? "^" : "", pcre2_property(p.name),
                           unicode_additions_class(p.name));
    }

    // \p{Name}, \P{Name}, \p{^Name}.
    Property property() {
        Property p{.name = "", .negated = in_[pos_ + 1] == 'P'};
        pos_ += 2;
        if (!accept("{")) refuse("\\p without braces");
        if (accept("^")) p.negated = !p.negated;
        while (!at_end() && (std::isalpha(static_cast<unsigned char>(in_[pos_])) != 0 || in_[pos_] == '_'))
            p.name += in_[pos_++];
        if (p.name.empty() || !accept("}")) refuse("this property");
        return p;
    }

    // A backslash and what follows it, where it means the same inside and outside of classes.
    Member escaped_member() {
        if (++pos_ == in_.size()) fail("ends in a backslash");
        const char c = in_[pos_++];
        switch (c) {
            case 's':
                return {std::string(kSpaces), true};
            case 'w':
                return {word_class(), true};
            case 'd':
                return {"\\p{Nd}" + unicode_additions_class("Nd"), true};
            case 'h':
                return {std::string(kHexDigits), true};
            case 'v':
                return {"\\x0b"};
            case 'x':
            case 'u':
                return {code_point(c)};
            case 'n':
            case 'r':
            case 't':
            case 'f':
            case 'a':
            case 'e':
                return {std::string{'\\', c}};
            default:
                break;
        }
        if (is_ascii_punctuation(c) || c == ' ') return {std::string{'\\', c}};
        refuse(fmt::format("\\{}", c >= '!' && c <= '~' ? std::string(1, c) : "…"));
    }

    // What follows \x or \u: {H…}, two digits below 80, or four digits.
    std::string code_point(char kind) {
        const bool has_braces = kind == 'x' && accept("{");
        const std::size_t most = has_braces ? 6 : kind == 'x' ? 2 : 4;
        std::string digits;
        while (!at_end() && digits.size() < most && std::isxdigit(static_cast<unsigned char>(in_[pos_])) != 0)
            digits += in_[pos_++];
        const bool is_whole = has_braces ? !digits.empty() && accept("}") : digits.size() == most;
        if (!is_whole) refuse(fmt::format("\\{} with these digits", kind));
        if (!has_braces && kind == 'x' && std::strtoul(digits.c_str(), nullptr, 16) >= 0x80)
            refuse("\\x of a single byte over 7f");
        return fmt::format("\\x{{{}}}", digits);
    }

    void character_class() {
        ++pos_;
        std::string text = accept("^") ? "[^" : "[";
        if (next_is("]")) refuse("an empty class or a class that begins with ]");
        enum class Last {
            kNothing,
            kCharacter,
            kComplete
        } last = Last::kNothing;  // kCharacter may begin a range
        while (!accept("]")) {
            if (at_end()) fail("a [ is not closed");
            if (next_is("-") && last == Last::kCharacter && !next_is("-]")) {
                ++pos_;
                const Member end = class_member();
                if (end.is_set) fail("a range ends in a set");
                text += "-" + end.text;
                last = Last::kComplete;
            } else {
                const Member member = class_member();
                text += member.text;
                last = member.is_set ? Last::kComplete : Last::kCharacter;
            }
        }
        emit_atom(text + "]");
    }

    Member class_member() {
        if (at_end()) fail("a [ is not closed");
        if (next_is("[")) refuse("a class inside a class");
        if (next_is("&&")) refuse("a set operation");
        if (accept("\\S")) return {R"(\S\x{180E})", true};  // for PCRE2, U+180E is a space
        if (accept("\\D")) return {R"(\P{Nd})", true};
        if (accept("\\b")) return {R"(\x08)"};
        if (next_is("\\p") || next_is("\\P")) {
            const Property p = property();
            if (p.negated) return {fmt::format("\\P{{{}}}", pcre2_property(p.name)), true};
            return {fmt::format("\\p{{{}}}{}", pcre2_property(p.name), unicode_additions_class(p.name)),
                    true};
        }
        if (next_is("\\")) return escaped_member();
        const std::size_t bytes = character_at(in_, pos_).bytes;
        const std::string_view text = in_.substr(pos_, bytes);
        pos_ += bytes;
        return {(is_ascii_punctuation(text[0]) ? "\\" : "") + std::string(text)};
    }

    std::string_view in_;
    std::string_view where_;
    std::size_t pos_ = 0;
    std::string out_;
    std::size_t atom_ = kNone;  // where in out_ the last item begins that may be repeated
    std::vector<Group> groups_;
};

}  // namespace

std::string pcre2_from_oniguruma(std::string_view pattern, std::string_view where) {
    require_utf8(pattern, where);
    return Translator(pattern, where).run();
}

std::string pcre2_from_literal(std::string_view text) {
    std::string pattern;
    for (const char c : text) {
        if (is_ascii_punctuation(c)) pattern += '\\';
        pattern += c;
    }
    return pattern;
}

}  // namespace assay
