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
        Json::parse(R"({"dropout": 0.1, "continuing_subword_prefix": "##", "end_of_word_suffix": "</w>"})");
    for (const auto& [option, value] : options.items()) {
        Json json = tiny();
        json["model"][option] = value;
        EXPECT_TRUE(is_unsupported(json)) << option;
        EXPECT_THAT(refusal(json), HasSubstr(option));
    }
}

TEST(Tokenizer, RefusesPipelinesThatCouldGrowATextWithoutBound) {
    Json json = tiny();
    const Json metaspace = {{"type", "Metaspace"}, {"replacement", "c"}};
    json["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {metaspace, metaspace}}};
    EXPECT_TRUE(is_unsupported(json));
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

    json["normalizer"] = nullptr;
    json["decoder"] = {{"type", "Sequence"}, {"decoders", std::vector<Json>(40, doubling)}};
    EXPECT_THROW(make(json).decode(Ids{0}, false), FormatError);
}

// The three bytes of U+2581 and those of the letter ä, of which one has no token.
Json with_bytes() {
    Json json = tiny();
    int id = 9;
    for (const char* byte : {"<0xE2>", "<0x96>", "<0x81>", "<0xC3>"}) json["model"]["vocab"][byte] = id++;
    json["model"]["byte_fallback"] = true;
    return json;
}

TEST(Tokenizer, FallsBackToBytesWhereAllOfThemHaveTokens) {
    Json json = with_bytes();
    EXPECT_THAT(encode(json, "a▁b"), ElementsAre(0, 9, 10, 11, 1));
    EXPECT_THAT(encode(json, "aäb"), ElementsAre(4));
    json["model"]["unk_token"] = "1";
    EXPECT_THAT(encode(json, "aäb"), ElementsAre(0, 7, 1));
}

// What the `tokenizers` library does: the unknown token comes when the next known character does.
TEST(Tokenizer, LetsBytesOvertakeAnUnknownToken) {
    Json json = with_bytes();
    json["model"]["unk_token"] = "1";
    EXPECT_THAT(encode(json, "ä▁äa"), ElementsAre(9, 10, 11, 7, 7, 0));
    json["model"]["fuse_unk"] = true;
    EXPECT_THAT(encode(json, "ä▁äa"), ElementsAre(9, 10, 11, 7, 0));
}

Json metaspace(const Json& options) {
    Json json = tiny();
    json["model"]["vocab"]["▁"] = 9;
    json["model"]["vocab"]["▁a"] = 10;
    json["model"]["merges"] = Json::parse(R"([["▁", "a"]])");
    json["added_tokens"] = Json::array({added("<s>")});
    json["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", "▁"}};
    json["pre_tokenizer"].update(options);
    return json;
}

TEST(Tokenizer, MarksSpacesAndBeginningsAsTheSchemeSays) {
    const Json always = metaspace(Json::object());
    EXPECT_THAT(encode(always, "a b"), ElementsAre(10, 9, 1));
    EXPECT_THAT(encode(always, " a▁"), ElementsAre(10, 9));  // a mark that is there is not doubled
    EXPECT_THAT(encode(always, "a<s>a"), ElementsAre(10, 11, 10));
    const Json first = metaspace({{"prepend_scheme", "first"}, {"split", false}});
    EXPECT_THAT(encode(first, "a<s>a"), ElementsAre(10, 11, 0));
    EXPECT_THAT(encode(first, "<s>a"), ElementsAre(11, 0));
    EXPECT_THAT(encode(metaspace({{"prepend_scheme", "never"}}), "a a"), ElementsAre(0, 10));
    EXPECT_THAT(encode(metaspace({{"add_prefix_space", false}}), "a a"), ElementsAre(0, 10));
}

TEST(Tokenizer, MarksTheFirstPieceOfASequenceOnlyWhereTheTextBeginsWithIt) {
    Json json = metaspace(Json::object());
    json["pre_tokenizer"] = Json::parse(R"({"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"},
        {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false}]})");
    EXPECT_THAT(encode(json, "a a"), ElementsAre(10, 0));
    EXPECT_THAT(encode(json, " a a"), ElementsAre(0, 0));
}

TEST(Tokenizer, RejectsMetaspaceOptionsThatMakeNoSense) {
    EXPECT_THAT(refusal(metaspace({{"replacement", "ab"}})), HasSubstr("not one character"));
    EXPECT_THAT(refusal(metaspace({{"replacement", ""}})), HasSubstr("not one character"));
    EXPECT_THAT(refusal(metaspace({{"prepend_scheme", "second"}})), HasSubstr("\"second\""));
    EXPECT_THAT(refusal(metaspace({{"prepend_scheme", "first"}, {"add_prefix_space", false}})),
                HasSubstr("contradicts"));
}

// Decodes the texts of tokens, each added to the vocabulary.
std::string decode(const Json& decoder, const std::vector<std::string>& tokens) {
    Json json = tiny();
    json["decoder"] = decoder;
    Ids ids;
    for (const std::string& token : tokens) {
        ids.push_back(100 + static_cast<int>(ids.size()));
        json["model"]["vocab"][token] = ids.back();
    }
    return make(json).decode(ids, false);
}

TEST(Tokenizer, DecodesBytesToCharactersOrOneReplacementEach) {
    const Json decoder = {{"type", "ByteFallback"}};
    EXPECT_EQ(decode(decoder, {"x", "<0xC3>", "<0xa4>", "y"}), "xäy");
    EXPECT_EQ(decode(decoder, {"<0xC3>", "<0x41>", "y"}), "\uFFFD\uFFFDy");
    EXPECT_EQ(decode(decoder, {"<0xZZ>", "<0x4>", "<0x41"}), "<0xZZ><0x4><0x41");
}

TEST(Tokenizer, DecodesMarksToSpaces) {
    Json decoder = {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "always"}};
    EXPECT_EQ(decode(decoder, {"▁▁x▁", "▁y"}), "x y");
    decoder["prepend_scheme"] = "never";
    EXPECT_EQ(decode(decoder, {"▁▁x▁", "▁y"}), "  x  y");
}

TEST(Tokenizer, DecodesByReplacingAndStripping) {
    EXPECT_EQ(decode(Json::parse(R"({"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "_"}, "content": " "}, {"type": "Strip", "content": " ", "start": 1, "stop": 2}]})"),
                     {"__x___", "_y", "___"}),
              " x y");
    EXPECT_THROW(decode({{"type", "Strip"}, {"content", "ab"}, {"start", 1}, {"stop", 0}}, {}), FormatError);
    EXPECT_THROW(decode({{"type", "Strip"}, {"content", " "}, {"start", -1}, {"stop", 0}}, {}), FormatError);
}

TEST(Tokenizer, StripsAccents) {
    Json json = tiny();
    json["normalizer"] =
        Json::parse(R"({"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}]})");
    EXPECT_THAT(encode(json, "äb\u0301\u20DD\u0903c"), ElementsAre(5));
}

Json unigram() {
    return Json::parse(R"({"decoder": {"type": "Fuse"}, "model": {"type": "Unigram", "unk_id": 0,
        "vocab": [["<unk>", 0.0], ["a", -1.0], ["b", -1.5], ["ab", -2.0], ["aa", -2.0], ["aab", -4.0]]}})");
}

TEST(Unigram, TakesTheBestPathAndAmongEqualsTheFirst) {
    EXPECT_THAT(encode(unigram(), "ab"), ElementsAre(3));  // -2 beats -2.5
    EXPECT_THAT(encode(unigram(), "aa"),
                ElementsAre(4));  // -2 equals -1 -1: the longer token was found first
    EXPECT_THAT(encode(unigram(), "aab"), ElementsAre(1, 3));  // -3 beats -3.5 and -4
    EXPECT_THAT(encode(unigram(), ""), IsEmpty());
}

TEST(Unigram, MakesOneUnknownTokenOfARunAndBytesWhereItCan) {
    EXPECT_THAT(encode(unigram(), "axyzb"), ElementsAre(1, 0, 2));
    EXPECT_THAT(encode(unigram(), "a<unk>b"), ElementsAre(1, 0, 2));
    Json json = unigram();
    json["model"]["byte_fallback"] = true;
    json["model"]["vocab"].push_back({"<0x78>", -9.0});
    EXPECT_THAT(encode(json, "axxb"), ElementsAre(1, 6, 6, 2));
    EXPECT_THAT(encode(json, "axyb"), ElementsAre(1, 0, 2));
}

TEST(Unigram, RejectsMalformedVocabularies) {
    Json json = unigram();
    json["model"]["unk_id"] = 6;
    EXPECT_THAT(refusal(json), HasSubstr("id 6 is not in the vocabulary"));
    json["model"]["unk_id"] = nullptr;
    EXPECT_EQ(refusal(json), "accepted");
    EXPECT_THROW(encode(json, "x"), FormatError);
    json["model"]["vocab"].push_back({"a", -3.0});
    EXPECT_THAT(refusal(json), HasSubstr("two ids"));
    json["model"]["vocab"] = Json::array({Json::array({"a"})});
    EXPECT_THAT(refusal(json), HasSubstr("not a token and a score"));
    json["model"]["vocab"] = Json::array({Json::array({"", 0})});
    EXPECT_THAT(refusal(json), HasSubstr("empty"));
    json["model"]["vocab"] = Json::array();
    EXPECT_THAT(refusal(json), HasSubstr("0 tokens"));
}

// Texts are cut before merging where no token could reach across; nothing may depend on it.
TEST(Bpe, CutsLongTextsOnlyWhereNothingChanges) {
    Json json = with_bytes();
    json["model"]["unk_token"] = "1";
    json["model"]["fuse_unk"] = true;
    json["model"]["vocab"]["ca"] = 20;
    json["model"]["vocab"]["cabc"] = 21;
    json["model"]["merges"] = Json::parse(R"([["b", "c"], ["a", "b"], ["c", "a"], ["ca", "bc"]])");
    json["model"]["vocab"]["bc"] = 22;
    const Tokenizer tokenizer = make(json);
    const auto model = build_subword_model(json["model"], "model");
    const std::vector<std::string> parts = {"a", "b", "c", " ", "é", "1", "ä", "▁", "漢"};
    std::string text;
    std::uint32_t state = 1;
    for (int i = 0; i < 4000; ++i) {
        state = state * 1664525u + 1013904223u;
        text += parts[(state >> 16) % parts.size()];
    }
    Ids whole;
    model->encode(text, whole);
    EXPECT_EQ(tokenizer.encode(text, false), whole);
    int count = 0;
    model->cut(text, [&](std::string_view) { ++count; });
    EXPECT_GT(count, 100);
}

Tokenizer configured(const TokenizerConfig& config) {
    Json json = tiny();
    json["post_processor"] = Json::parse(R"({"type": "TemplateProcessing", "pair": [],
        "single": [{"SpecialToken": {"id": "a", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "special_tokens": {"a": {"id": "a", "ids": [0], "tokens": ["a"]}}})");
    return Tokenizer::from_json(json.dump(), "tok.json", config);
}

TEST(TokenizerConfig, BeatsTheTemplateForTheFamiliesThatRebuildIt) {
    const auto encode_with = [](TokenizerConfig config) { return configured(config).encode("c", true); };
    EXPECT_THAT(encode_with({.tokenizer_class = "LlamaTokenizerFast"}), ElementsAre(0, 2));
    EXPECT_THAT(encode_with({.tokenizer_class = "LlamaTokenizerFast", .add_bos = false}), ElementsAre(2));
    EXPECT_THAT(
        encode_with(
            {.tokenizer_class = "GemmaTokenizer", .add_eos = true, .bos_token = "b", .eos_token = "1"}),
        ElementsAre(1, 2, 7));
    EXPECT_THAT(encode_with({.tokenizer_class = "PreTrainedTokenizerFast", .add_bos = false}),
                ElementsAre(0, 2));
}

TEST(TokenizerConfig, NamesTheTokensThatBeginAndEnd) {
    const Tokenizer tokenizer = configured({.bos_token = "b", .eos_token = "1"});
    EXPECT_EQ(tokenizer.bos_id(), 1);
    EXPECT_EQ(tokenizer.eos_id(), 7);
    EXPECT_TRUE(tokenizer.adds_bos());
}

TEST(TokenizerConfig, MustNameATokenThatTextsGet) {
    EXPECT_THROW(configured({.tokenizer_class = "LlamaTokenizer", .add_eos = true}), FormatError);
    EXPECT_THROW(configured({.tokenizer_class = "LlamaTokenizer", .add_eos = true, .eos_token = "</s>"}),
                 FormatError);
}

TEST(TokenizerConfig, IsReadFromItsFile) {
    const TokenizerConfig config = parse_tokenizer_config(
        R"({"tokenizer_class": "LlamaTokenizer", "add_bos_token": true, "add_eos_token": null, "bos_token": {"content": "<s>"},
            "eos_token": "</s>", "model_max_length": 1e30, "added_tokens_decoder": {
            "10": {"content": "<x>", "lstrip": true, "special": true}, "9": {"content": "<y>", "normalized": true}}})",
        "c.json");
    EXPECT_EQ(config.tokenizer_class, "LlamaTokenizer");
    EXPECT_EQ(config.add_bos, true);
    EXPECT_EQ(config.add_eos, std::nullopt);
    EXPECT_EQ(config.bos_token, "<s>");
    EXPECT_EQ(config.eos_token, "</s>");
    ASSERT_EQ(config.added_tokens.size(), 2u);
    EXPECT_EQ(config.added_tokens[0].id, 9);
    EXPECT_EQ(config.added_tokens[1].token, (AddedToken{.content = "<x>", .lstrip = true, .special = true}));
}

TEST(TokenizerConfig, RejectsWhatIsMalformed) {
    for (const char* bad :
         {"[]", "{", R"({"add_bos_token": 1})", R"({"bos_token": 3})", R"({"bos_token": {"text": "x"}})",
          R"({"added_tokens_decoder": {"-1": {"content": "x"}}})",
          R"({"added_tokens_decoder": {"1x": {"content": "x"}}})",
          R"({"added_tokens_decoder": {"1": "x"}})"}) {
        EXPECT_THROW(parse_tokenizer_config(bad, "c.json"), FormatError) << bad;
    }
}

}  // namespace
}  // namespace assay
