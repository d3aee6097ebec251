#include "text/regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "text/split.h"

namespace assay {
namespace {

using Pieces = std::vector<std::string>;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Pieces isolate(const std::string& pattern, const std::string& text) {
    Pieces pieces;
    split_at(text, Regex::from_pattern(pattern, "p"), SplitBehavior::kIsolated, false,
             [&](std::string_view piece) { pieces.emplace_back(piece); });
    return pieces;
}

std::string refusal(const std::string& pattern) {
    try {
        Regex::from_pattern(pattern, "tok.json");
    } catch (const FormatError& error) {
        return error.what();
    }
    return "accepted";
}

struct Example {
    std::string pattern;
    std::string text;
    Pieces pieces;
};

// Expected pieces: Split(Regex(pattern), "isolated") of the `tokenizers` library 0.23.3.
TEST(Regex, MatchesAsOnigurumaWhereItDiffersFromPcre2) {
    const std::vector<Example> examples = {
        {R"(\p{N}{1,3}+)", "12345a1", {"12345", "a", "1"}},
        {R"(a{2}?b)", "aabbab", {"aab", "b", "a", "b"}},
        {R"(a{,2})", "aaab", {"aa", "a", "b"}},
        {R"((?m:a.b))", "a\nb", {"a\nb"}},
        {R"(a(?i)b|C)", "aBcABac", {"aB", "cAB", "ac"}},
        {R"(^b|a$)", "a\nb", {"a", "\n", "b"}},
        {R"(\h+)", "xaf g", {"x", "af", " g"}},
        {R"(\s+)", "a\u180e \u0085b", {"a\u180e", " \u0085", "b"}},
        {R"(\w+)", "e\u0301\u00b2\u00bd \u00b3a", {"e\u0301\u00b2\u00bd", " ", "\u00b3a"}},
        {R"(\b)", "ab c", {"ab", " ", "c"}},
        {R"(x*)", "axxb", {"a", "xx", "b"}},
        {R"([\s\-a]+)", "b- a", {"b", "- a"}},
        {R"(\p{Han}+)", "a漢、字", {"a", "漢", "、", "字"}},
        {R"({a}|\{)", "{a}{", {"{a}", "{"}},
        {R"([^\S\n]+)", "a \n b", {"a", " ", "\n", " ", "b"}},
        {R"(\p{L}+)", "\U00031350a \U0001E4D0", {"\U00031350a", " ", "\U0001E4D0"}},
        {R"(\p{^Lu}+)", "aBc", {"a", "B", "c"}},
        {R"((?<=a)b(?!c))", "abcab", {"abca", "b"}},
        {R"([a-c-]+)", "d-b-e", {"d", "-b-", "e"}},
        {R"(\x{e9}\u00e9\x41)", "ééA", {"ééA"}},
    };
    for (const Example& example : examples)
        EXPECT_EQ(isolate(example.pattern, example.text), example.pieces) << example.pattern;
}

TEST(Regex, MatchesLiteralsAsTheyStand) {
    Pieces pieces;
    split_at("a.b*a.b", Regex::from_literal("a.b", "p"), SplitBehavior::kRemoved, false,
             [&](std::string_view piece) { pieces.emplace_back(piece); });
    EXPECT_THAT(pieces, ElementsAre("*"));
}

TEST(Regex, RejectsUnbalancedBrackets) {
    EXPECT_THAT(refusal("(a"), HasSubstr("tok.json: regular expression \"(a\""));
    EXPECT_THAT(refusal("a)"), HasSubstr("closes no group"));
    EXPECT_THAT(refusal("[a"), HasSubstr("not closed"));
    EXPECT_THAT(refusal("[a-"), HasSubstr("not closed"));
}

TEST(Regex, RejectsWhatPcre2FindsInvalid) {
    EXPECT_THAT(refusal("[b-a]"), HasSubstr("is invalid"));
    EXPECT_THAT(refusal("a{3,1}"), HasSubstr("is invalid"));
    EXPECT_THAT(refusal(R"(\p{Klingon})"), HasSubstr("is invalid"));
    EXPECT_THAT(refusal("(?<=a*)b"), HasSubstr("is invalid"));
    EXPECT_THAT(refusal(R"(\x{110000})"), HasSubstr("is invalid"));
}

TEST(Regex, RejectsRangesThatEndInASetAndTrailingBackslashes) {
    EXPECT_THAT(refusal(R"([a-\d])"), HasSubstr("ends in a set"));
    EXPECT_THAT(refusal("a\\"), HasSubstr("ends in a backslash"));
}

TEST(Regex, RejectsPatternsThatAreNotUtf8) {
    EXPECT_THAT(refusal("a\xff"), HasSubstr("not UTF-8"));
}

TEST(Regex, RefusesConstructsWhoseMeaningDiffers) {
    for (const char* pattern :
         {R"(\1)", R"(\k<a>)", "(?<n>a)", "(*UTF)a", "(?#c)",    "(?x)a", R"(\X)",       R"(\R)", R"(\G)",
          R"(\K)", R"(\C)",    R"(\pL)",  "[a[b]]",  "[a&&b]",   "[]a]",  "[[:alpha:]]", "a**",   "+a",
          "(?i)+", R"(\xff)",  R"([\W])", R"([\H])", R"(\Qa\E)", R"(\N)", R"(\012)"}) {
        EXPECT_THROW(Regex::from_pattern(pattern, "p"), Unsupported) << pattern;
        EXPECT_THAT(refusal(pattern), HasSubstr("supported are")) << pattern;
    }
}

TEST(Regex, GivesUpOnPatternsThatExplode) {
    EXPECT_THROW(isolate("(a|aa)+$", std::string(200, 'a') + "b"), FormatError);
}

TEST(Regex, ReadsLongRunsOnce) {
    const std::string pattern = R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
    const Pieces pieces = isolate(pattern, std::string(300'000, ' ') + "x");
    EXPECT_THAT(pieces, ElementsAre(std::string(299'999, ' '), " ", "x"));
}

}  // namespace
}  // namespace assay
