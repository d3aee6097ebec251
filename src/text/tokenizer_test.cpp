#include "text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"

namespace assay {
namespace {

using Ids = std::vector<std::int32_t>;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A small BPE tokenizer: single letters, a space as itself, and two merges.
Json tiny() {
    return Json::parse(R"({
        "version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": null, "post_processor": null,
        "decoder": {"type": "Fuse"},
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, " ": 3, "ab": 4, "abc": 5, "é": 6, "1": 7, "2": 8},
                  "merges": [["a", "b"], ["ab", "c"]]}})");
}

Json added(const std::string& content, const Json& changes = Json::object()) {
    Json token = {{"id", 0},         {"content", content},  {"single_word", false}, {"lstrip", false},
                  {"rstrip", false}, {"normalized", false}, {"special", false}};
    token.update(changes);
    return token;
}

Tokenizer make(const Json& json) {
    return Tokenizer::from_json(json.dump(), "tok.json");
}

Ids encode(const Json& json, std::string_view text) {
    return make(json).encode(text, false);
}

std::string refusal(const Json& json) {
    try {
        make(json);
    } catch (const FormatError& error) {
        return error.what();
    }
    return "accepted";
}

bool is_unsupported(const Json& json) {
    try {
        make(json);
    } catch (const Unsupported&) {
        return true;
    }
    return false;
}

TEST(Tokenizer, MergesByRankAndThenLeftmost) {
    EXPECT_THAT(encode(tiny(), "abcab"), ElementsAre(5, 4));
    Json json = tiny();
    json["model"]["vocab"]["bc"] = 9;
    json["model"]["merges"] = Json::parse(R"([["b", "c"], ["a", "b"]])");
    EXPECT_THAT(encode(json, "abc"), ElementsAre(0, 9));
    json["model"]["vocab"]["aa"] = 10;
    json["model"]["merges"] = Json::parse(R"([["a", "a"]])");
    EXPECT_THAT(encode(json, "aaa"), ElementsAre(10, 0));
}

TEST(Tokenizer, ReadsMergesInBothSpellings) {
    Json json = tiny();
    json["model"]["merges"] = {"#version: 0.2", "a b", "ab c"};
    EXPECT_THAT(encode(json, "abc"), ElementsAre(5));
}

TEST(Tokenizer, TakesWholePiecesFirstWithIgnoreMerges) {
    Json json = tiny();
    json["model"]["vocab"]["cab"] = 9;
    EXPECT_THAT(encode(json, "cab"), ElementsAre(2, 4));
    json["model"]["ignore_merges"] = true;
    EXPECT_THAT(encode(json, "cab"), ElementsAre(9));
}

TEST(Tokenizer, ReplacesOrFusesOrDropsUnknownCharacters) {
    Json json = tiny();
    EXPECT_THAT(encode(json, "axya"), ElementsAre(0, 0));
    json["model"]["unk_token"] = "1";
    EXPECT_THAT(encode(json, "axya"), ElementsAre(0, 7, 7, 0));
    json["model"]["fuse_unk"] = true;
    EXPECT_THAT(encode(json, "axya"), ElementsAre(0, 7, 0));
}

TEST(Tokenizer, EncodesAnEmptyTextAsNothing) {
    EXPECT_THAT(encode(tiny(), ""), IsEmpty());
}

TEST(Tokenizer, FindsTheLeftmostLongestAddedToken) {
    Json json = tiny();
    json["added_tokens"] = {added("<x"), added("<x>"), added("x>")};
    EXPECT_THAT(encode(json, "a<x>b<xx>"), ElementsAre(0, 10, 1, 9, 11));  // ids follow the vocabulary
}

TEST(Tokenizer, StripsWhitespaceAroundAddedTokens) {
    Json json = tiny();
    json["added_tokens"] = {added("<l>", {{"lstrip", true}}), added("<r>", {{"rstrip", true}})};
    EXPECT_THAT(encode(json, "a  <l> a <r>  a"), ElementsAre(0, 9, 3, 0, 3, 10, 0));
}

TEST(Tokenizer, FindsSingleWordsOnlyBetweenOtherCharacters) {
    Json json = tiny();
    json["added_tokens"] = Json::array({added("ca", {{"single_word", true}})});
    EXPECT_THAT(encode(json, "ca cab éca ca"), ElementsAre(9, 3, 2, 4, 3, 6, 2, 0, 3, 9));
}

TEST(Tokenizer, LooksForNormalizedTokensInTheNormalizedText) {
    Json json = tiny();
    json["normalizer"] = {{"type", "Lowercase"}};
    json["added_tokens"] = {added("<B>", {{"normalized", true}}), added("<C>")};
    EXPECT_THAT(encode(json, "A<b><B><C><c>"), ElementsAre(0, 9, 9, 10, 2));
}

TEST(Tokenizer, LeavesOutSpecialTokensWhenDecodingWithoutThem) {
    Json json = tiny();
    json["added_tokens"] = {added("<s>", {{"special", true}}), added("<t>")};
    const Tokenizer tokenizer = make(json);
    EXPECT_EQ(tokenizer.decode(Ids{9, 4, 10}, true), "ab<t>");
    EXPECT_EQ(tokenizer.decode(Ids{9, 4, 10}, false), "<s>ab<t>");
    EXPECT_EQ(tokenizer.decode(Ids{4, 12345, -1}, false), "ab");
}

TEST(Tokenizer, PutsTemplateTokensAround) {
    Json json = tiny();
    json["post_processor"] = Json::parse(R"({"type": "TemplateProcessing", "pair": [],
        "single": [{"SpecialToken": {"id": "a", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                   {"SpecialToken": {"id": "b", "type_id": 0}}],
        "special_tokens": {"a": {"id": "a", "ids": [0], "tokens": ["a"]}, "b": {"id": "b", "ids": [1], "tokens": ["b"]}}})");
    const Tokenizer tokenizer = make(json);
    EXPECT_THAT(tokenizer.encode("c", true), ElementsAre(0, 2, 1));
    EXPECT_THAT(tokenizer.encode("c", false), ElementsAre(2));
    EXPECT_EQ(tokenizer.bos_id(), 0);
    EXPECT_EQ(tokenizer.eos_id(), 1);
    json["post_processor"] = {{"type", "Sequence"},
                              {"processors", {json["post_processor"], json["post_processor"]}}};
    EXPECT_THAT(make(json).encode("c", true), ElementsAre(0, 0, 2, 1, 1));
}

TEST(Tokenizer, AppliesNormalizersInOrder) {
    Json json = tiny();
    json["normalizer"] = Json::parse(R"({"type": "Sequence", "normalizers": [
        {"type": "Strip", "strip_left": true, "strip_right": true}, {"type": "NFC"},
        {"type": "Replace", "pattern": {"Regex": "x+"}, "content": "b"},
        {"type": "Replace", "pattern": {"String": "."}, "content": ""}, {"type": "Prepend", "prepend": "a"}]})");
    EXPECT_THAT(encode(json, "  e\u0301xx.c "), ElementsAre(0, 6, 1, 2));
}

TEST(Tokenizer, CutsAtDigitsAndWhitespace) {
    Json json = tiny();
    json["model"]["vocab"]["12"] = 9;
    json["model"]["merges"] = Json::parse(R"([["1", "2"], ["a", "b"]])");
    json["pre_tokenizer"] = {{"type", "Digits"}, {"individual_digits", true}};
    EXPECT_THAT(encode(json, "ab12"), ElementsAre(4, 7, 8));
    json["pre_tokenizer"]["individual_digits"] = false;
    EXPECT_THAT(encode(json, "ab12"), ElementsAre(4, 9));
    json["pre_tokenizer"] = {{"type", "WhitespaceSplit"}};
    EXPECT_THAT(encode(json, "a b12"), ElementsAre(0, 1, 9));
    json["pre_tokenizer"] = {{"type", "Whitespace"}};
    EXPECT_THAT(encode(json, " a b"), ElementsAre(0, 1));
}

TEST(Tokenizer, RejectsTextThatIsNotUtf8AndSaysWhere) {
    try {
        encode(tiny(), "ab\xff");
        FAIL() << "accepted";
    } catch (const FormatError& error) {
        EXPECT_EQ(error.offset(), 2u);
        EXPECT_THAT(error.what(), HasSubstr("not UTF-8"));
    }
}

TEST(Tokenizer, RejectsBadJson) {
    EXPECT_THROW(Tokenizer::from_json("{\"model\":", "tok.json"), FormatError);
    EXPECT_THROW(Tokenizer::from_json("[]", "tok.json"), FormatError);
}

TEST(Tokenizer, RejectsAnotherVersion) {
    Json json = tiny();
    json["version"] = "2.0";
    EXPECT_THAT(refusal(json), HasSubstr("version \"2.0\""));
}

TEST(Tokenizer, RejectsAMissingModel) {
    Json json = tiny();
    json.erase("model");
    EXPECT_THAT(refusal(json), HasSubstr("tok.json: model is missing"));
}

TEST(Tokenizer, RejectsAMissingOrEmptyVocabulary) {
    Json json = tiny();
    json["model"].erase("vocab");
    EXPECT_THAT(refusal(json), HasSubstr("vocab is missing"));
    json["model"]["vocab"] = Json::object();
    EXPECT_THAT(refusal(json), HasSubstr("no tokens"));
}

TEST(Tokenizer, RejectsATokenIdThatIsTakenOrOutOfRange) {
    Json json = tiny();
    json["model"]["vocab"]["z"] = 3;
    EXPECT_THAT(refusal(json), HasSubstr("both have id 3"));
    json["model"]["vocab"]["z"] = -1;
    EXPECT_THAT(refusal(json), HasSubstr("vocab: z is -1"));
    json["model"]["vocab"]["z"] = 4'000'000'000;
    EXPECT_THAT(refusal(json), HasSubstr("4000000000"));
}

TEST(Tokenizer, RejectsAMergeOfUnknownTokens) {
    Json json = tiny();
    json["model"]["merges"] = Json::parse(R"([["a", "q"]])");
    EXPECT_THAT(refusal(json), HasSubstr("\"q\" is not in the vocabulary"));
    json["model"]["merges"] = Json::parse(R"([["b", "c"]])");
    EXPECT_THAT(refusal(json), HasSubstr("\"bc\" is not in the vocabulary"));
}

TEST(Tokenizer, RejectsMalformedMerges) {
    Json json = tiny();
    json["model"]["merges"] = {"a"};
    EXPECT_THAT(refusal(json), HasSubstr("not two tokens"));
    json["model"]["merges"] = {"a b c"};
    EXPECT_THAT(refusal(json), HasSubstr("not two tokens"));
    json["model"]["merges"] = Json::array({Json::array({"a", "b", "c"})});
    EXPECT_THAT(refusal(json), HasSubstr("not of two tokens"));
}

TEST(Tokenizer, RejectsTextThatNeedsAnUnknownTokenThatIsMissing) {
    Json json = tiny();
    json["model"]["unk_token"] = "<unk>";
    EXPECT_THAT(encode(json, "ab"), ElementsAre(4));
    EXPECT_THROW(encode(json, "z"), FormatError);
}

TEST(Tokenizer, RejectsATemplateThatNamesUnknownTokens) {
    Json json = tiny();
    json["post_processor"] = Json::parse(R"({"type": "TemplateProcessing", "special_tokens": {},
        "single": [{"SpecialToken": {"id": "a", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]})");
    EXPECT_THAT(refusal(json), HasSubstr("special_tokens: a is missing"));
    json["post_processor"]["special_tokens"]["a"] = {{"ids", {77}}};
    EXPECT_THAT(refusal(json), HasSubstr("special token id 77"));
}

TEST(Tokenizer, RejectsATemplateWithoutTheText) {
    Json json = tiny();
    json["post_processor"] = {
        {"type", "TemplateProcessing"}, {"single", Json::array()}, {"special_tokens", Json::object()}};
    EXPECT_TRUE(is_unsupported(json));
}

TEST(Tokenizer, RejectsAnAddedTokenGivenTwiceWithDifferentProperties) {
    Json json = tiny();
    json["added_tokens"] = {added("<x>"), added("<x>")};
    EXPECT_EQ(refusal(json), "accepted");
    json["added_tokens"] = {added("<x>"), added("<x>", {{"lstrip", true}})};
    EXPECT_THAT(refusal(json), HasSubstr("given twice"));
}

TEST(Tokenizer, RejectsAnUnknownSplitBehavior) {
    Json json = tiny();
    json["pre_tokenizer"] = {
        {"type", "Split"}, {"pattern", {{"String", "a"}}}, {"behavior", "Sideways"}, {"invert", false}};
    EXPECT_THAT(refusal(json), HasSubstr("Sideways"));
}

TEST(Tokenizer, RejectsAnInvalidPattern) {
    Json json = tiny();
    json["pre_tokenizer"] = {
        {"type", "Split"}, {"pattern", {{"Regex", "(a"}}}, {"behavior", "Isolated"}, {"invert", false}};
    EXPECT_THAT(refusal(json), HasSubstr("\"(a\""));
}

TEST(Tokenizer, NamesWhatItDoesNotSupportAndWhatItDoes) {
    for (const char* part : {"normalizer", "pre_tokenizer", "post_processor", "decoder", "model"}) {
        Json json = tiny();
        json[part]["type"] = "Alien";
        EXPECT_TRUE(is_unsupported(json)) << part;
        EXPECT_THAT(refusal(json),
                    ::testing::AllOf(HasSubstr(part), HasSubstr("\"Alien\""), HasSubstr("supported: ")));
    }
}

TEST(Tokenizer, RefusesModelOptionsThatItDoesNotSupport) {
    const Json options =
        Json::parse(R"({"byte_fallback": true, "dropout": 0.1, "continuing_subword_prefix": "##",
                                         "end_of_word_suffix": "</w>"})");
    for (const auto& [option, value] : options.items()) {
        Json json = tiny();
        json["model"][option] = value;
        EXPECT_TRUE(is_unsupported(json)) << option;
        EXPECT_THAT(refusal(json), HasSubstr(option));
    }
}

TEST(Tokenizer, RefusesPipelinesThatCouldGrowATextWithoutBound) {
    Json json = tiny();
    const Json byte_level = {{"type", "ByteLevel"}, {"add_prefix_space", false}};
    json["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {byte_level, byte_level}}};
    EXPECT_TRUE(is_unsupported(json));
    json["pre_tokenizer"]["pretokenizers"] = std::vector<Json>(64, {{"type", "WhitespaceSplit"}});
    EXPECT_TRUE(is_unsupported(json));

    json["pre_tokenizer"] = nullptr;
    const Json doubling = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}};
    json["normalizer"] = {{"type", "Sequence"}, {"normalizers", std::vector<Json>(40, doubling)}};
    const Tokenizer tokenizer = make(json);
    EXPECT_THROW(tokenizer.encode("a", false), FormatError);
}

}  // namespace
}  // namespace assay
