// SentencePiece models against SentencePiece itself; see tests/data/tokenizers/README.md.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sentencepiece_processor.h>

#include <array>
#include <bit>
#include <filesystem>
#include <limits>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/rng.h"
#include "base/sha256.h"
#include "container/json.h"
#include "text/base64.h"
#include "text/builtin_text.h"
#include "text/byte_trie.h"
#include "text/charsmap.h"
#include "text/sentencepiece_normalizer.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

namespace assay {
namespace {

using Ids = std::vector<std::int32_t>;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string model_bytes(const std::string& name) {
    return read_file(std::filesystem::path(ASSAY_TEST_DATA) / "tokenizers" / name / "tokenizer.model");
}

Json golden_of(const std::string& name) {
    return parse_json(read_file(std::filesystem::path(ASSAY_TEST_DATA) / "tokenizers" / name / "cases.json"),
                      name);
}

Tokenizer load(const std::string& name, const TokenizerConfig& config = {}) {
    return Tokenizer::from_sentencepiece(parse_sentencepiece_model(model_bytes(name), name), config, name);
}

class SentencePieceGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(SentencePieceGolden, EncodesEveryCase) {
    const Tokenizer tokenizer = load(GetParam());
    const Json golden = golden_of(GetParam());
    ASSERT_GE(golden["cases"].size(), 330u);
    for (const Json& expected : golden["cases"]) {
        const std::string text = expected["text"];
        EXPECT_EQ(tokenizer.encode(text, false), expected["ids"].get<Ids>()) << text;
    }
}

TEST_P(SentencePieceGolden, EncodesEveryLineOfTheEvaluationText) {
    const Json golden = golden_of(GetParam());
    const Tokenizer tokenizer = load(GetParam());
    Ids ids;
    for (std::string_view rest = builtin_evaluation_text(); !rest.empty();) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        const Ids of_line = tokenizer.encode(line, false);
        ids.insert(ids.end(), of_line.begin(), of_line.end());
    }
    EXPECT_EQ(ids.size(), golden["evaluation_tokens"].get<std::size_t>());
    EXPECT_EQ(sha256_hex(std::as_bytes(std::span(ids))), golden["evaluation_sha256"]);
}

// Words, white space, marks, and characters of every kind, also outside of the vocabulary.
std::string random_text(Rng& rng) {
    constexpr const char32_t* kWords[] = {
        U" ",        U"  ",  U"\n",  U"\n\n", U"▁",       U"▁▁", U"der", U"aab",    U"a",
        U"<|user|>", U"<s>", U"DE",  U"é",    U"e\u0301", U"ﬁ",  U"Ａ",  U"\u3000", U"①",
        U"中文",     U"😀",   U"ing", U"the",  U"\t",      U"0",  U"12",  U"\u200b", U"\u0344"};
    std::string text;
    for (std::uint64_t words = 1 + rng.below(12); words > 0; --words) {
        if (rng.below(4) == 0) {
            const auto code = static_cast<char32_t>(1 + rng.below(0x2FFF));
            append_utf8(text, code);
        } else {
            for (const char32_t* c = kWords[rng.below(std::size(kWords))]; *c != 0; ++c)
                append_utf8(text, *c);
        }
    }
    return text;
}

TEST_P(SentencePieceGolden, EncodesRandomTextsAsTheLibraryDoes) {
    sentencepiece::SentencePieceProcessor library;
    ASSERT_TRUE(library.LoadFromSerializedProto(model_bytes(GetParam())).ok());
    const Tokenizer tokenizer = load(GetParam());
    Rng rng(5);
    for (int i = 0; i < 5000; ++i) {
        const std::string text = random_text(rng);
        std::vector<int> expected;
        ASSERT_TRUE(library.Encode(text, &expected).ok());
        ASSERT_EQ(tokenizer.encode(text, false), Ids(expected.begin(), expected.end())) << text;
    }
}

// As one piece of a million characters; a unigram's sums of that length differ by rounding.
TEST(SentencePiece, EncodesTheWholeEvaluationTextAsTheLibraryDoes) {
    for (const char* name : {"sentencepiece-bpe", "sentencepiece-suffix"}) {
        sentencepiece::SentencePieceProcessor library;
        ASSERT_TRUE(library.LoadFromSerializedProto(model_bytes(name)).ok());
        std::vector<int> expected;
        ASSERT_TRUE(library.Encode(builtin_evaluation_text(), &expected).ok());
        EXPECT_TRUE(load(name).encode(builtin_evaluation_text(), false) ==
                    Ids(expected.begin(), expected.end()));
    }
}

INSTANTIATE_TEST_SUITE_P(Models, SentencePieceGolden,
                         ::testing::Values("sentencepiece-bpe", "sentencepiece-unigram",
                                           "sentencepiece-suffix"),
                         [](const auto& tested) { return std::string(tested.param).substr(14); });

TEST(SentencePiece, LooksForUserDefinedPiecesInTextsAndForControlPiecesNot) {
    const Tokenizer tokenizer = load("sentencepiece-bpe");
    const auto user = *tokenizer.id_of("<|user|>"), inst = *tokenizer.id_of("[INST]");
    EXPECT_THAT(tokenizer.encode("<|user|>", false), ::testing::Contains(user));
    EXPECT_THAT(tokenizer.encode("[INST]<s>", false),
                ::testing::Not(::testing::Contains(::testing::AnyOf(inst, 1))));
    EXPECT_EQ(tokenizer.decode(Ids{1, inst, *tokenizer.id_of("▁the")}, true), "the");
}

TEST(SentencePiece, PutsBosInFrontUnlessTheConfigSaysOtherwise) {
    const auto bos = *load("sentencepiece-bpe").id_of("<s>"), eos = *load("sentencepiece-bpe").id_of("</s>");
    EXPECT_THAT(load("sentencepiece-bpe").encode("", true), ElementsAre(bos));
    EXPECT_EQ(load("sentencepiece-bpe").bos_id(), bos);
    EXPECT_EQ(load("sentencepiece-bpe").eos_id(), eos);
    EXPECT_THAT(load("sentencepiece-bpe", {.add_bos = false}).encode("", true), IsEmpty());
    EXPECT_THAT(load("sentencepiece-bpe", {.add_eos = true, .bos_token = "[INST]"}).encode("", true),
                ElementsAre(*load("sentencepiece-bpe").id_of("[INST]"), eos));
    EXPECT_THROW(load("sentencepiece-bpe", {.bos_token = "<none>"}), FormatError);
}

TEST(SentencePiece, LeavesTheSpaceInFrontOutIfTheConfigSaysSo) {
    const Tokenizer tokenizer = load("sentencepiece-bpe", {.add_prefix_space = false});
    EXPECT_THAT(tokenizer.encode("the", false),
                ::testing::Not(::testing::Contains(*tokenizer.id_of("▁the"))));
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(" the", false), false), " the");
}

TEST(SentencePiece, FindsTheAddedTokensOfTheConfig) {
    const auto size = static_cast<std::int32_t>(load("sentencepiece-bpe").vocabulary_size());
    const AddedToken bos{.content = "<s>", .special = true}, more{.content = "<more>", .special = true};
    const Tokenizer tokenizer =
        load("sentencepiece-bpe", {.added_tokens = {{.id = 1, .token = bos}, {.id = size, .token = more}}});
    EXPECT_THAT(tokenizer.encode("<s><more>", false), ElementsAre(1, size));
    EXPECT_THROW(load("sentencepiece-bpe", {.added_tokens = {{.id = size + 1, .token = more}}}), Unsupported);
}

// The `tokenizers` library's reading of the same rules.
TEST(SentencePiece, RulesAsANormalizerOfATokenizerJson) {
    const auto model = parse_sentencepiece_model(model_bytes("sentencepiece-unigram"), "model");
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string base64;
    for (std::size_t at = 0; at + 3 <= model.charsmap.size() + 2; at += 3) {
        std::uint32_t bits = 0;
        for (std::size_t i = at; i < at + 3; ++i)
            bits =
                bits << 8 | (i < model.charsmap.size() ? static_cast<unsigned char>(model.charsmap[i]) : 0u);
        for (int shift = 18; shift >= 0; shift -= 6) base64 += kDigits[bits >> shift & 63];
    }
    for (std::size_t i = 0; i < (3 - model.charsmap.size() % 3) % 3; ++i) base64[base64.size() - 1 - i] = '=';
    const Json config = {{"type", "Precompiled"}, {"precompiled_charsmap", base64}};
    const Normalizer normalizer = build_normalizer(&config, "normalizer");
    const Json golden = golden_of("sentencepiece-unigram");
    for (const Json& expected : golden["cases"])
        EXPECT_EQ(normalizer(expected["text"], 1 << 20), expected["precompiled"].get<std::string>());
}

// The wire format, written by hand.
std::string field(int number, std::string_view bytes) {
    return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(bytes.size())} +
           std::string(bytes);
}
std::string varint_field(int number, char value) {
    std::string tag = {static_cast<char>(number << 3 & 0x7F)};
    if (number >= 16) tag = {static_cast<char>((number << 3 & 0x7F) | 0x80), static_cast<char>(number >> 4)};
    return tag + value;
}
std::string piece(std::string_view text, char type = 1, float score = 0) {
    const auto bits = std::bit_cast<std::array<char, 4>>(score);
    return field(1, field(1, text) + "\x15" + std::string(bits.data(), 4) + varint_field(3, type));
}
std::string small_model() {
    return piece("<unk>", 2) + piece("<s>", 3) + piece("▁", 1, -3) + piece("a", 1, -2) + piece("b", 1, -2) +
           piece("ab", 1, -1);
}

std::string refusal(const std::string& bytes) {
    try {
        Tokenizer::from_sentencepiece(parse_sentencepiece_model(bytes, "t.model"), {}, "t.model");
    } catch (const FormatError& error) {
        return error.what();
    }
    return "accepted";
}

TEST(SentencePieceModel, IsReadWithItsDefaults) {
    const SentencePieceModel model = parse_sentencepiece_model(small_model(), "t.model");
    ASSERT_EQ(model.pieces.size(), 6u);
    EXPECT_EQ(model.pieces[5].text, "ab");
    EXPECT_EQ(model.pieces[5].score, -1);
    EXPECT_TRUE(model.is_unigram && model.add_dummy_prefix && model.remove_extra_whitespaces &&
                model.escape_whitespaces);
    EXPECT_FALSE(model.byte_fallback || model.treat_whitespace_as_suffix);
    const Tokenizer tokenizer = Tokenizer::from_sentencepiece(model, {}, "t.model");
    EXPECT_THAT(tokenizer.encode("  ab  zza ", true), ElementsAre(1, 2, 5, 2, 0, 3));
}

TEST(SentencePieceModel, OptionsAreRead) {
    const std::string options = field(2, varint_field(3, 2) + varint_field(24, 1) + varint_field(35, 1) +
                                             "\xF2\x02\x03"
                                             "ab!") +
                                field(3, varint_field(3, 0) + varint_field(4, 0) + varint_field(5, 0));
    const SentencePieceModel model = parse_sentencepiece_model(small_model() + options, "t.model");
    EXPECT_FALSE(model.is_unigram || model.add_dummy_prefix || model.remove_extra_whitespaces ||
                 model.escape_whitespaces);
    EXPECT_TRUE(model.byte_fallback && model.treat_whitespace_as_suffix);
    EXPECT_EQ(model.bos_piece, "ab!");
}

TEST(SentencePieceModel, RejectsBytesThatAreNoMessage) {
    EXPECT_THAT(refusal("\x0A"), HasSubstr("truncated"));
    EXPECT_THAT(refusal("\x0A\x7Fxx"), HasSubstr("truncated"));
    EXPECT_THAT(refusal("\x0B"), HasSubstr("wire type 3"));
    EXPECT_THAT(refusal(std::string("\x02\x00", 2)), HasSubstr("field 0"));
    EXPECT_THAT(refusal(std::string(11, '\xFF')), HasSubstr("ten bytes"));
    EXPECT_THAT(refusal(varint_field(1, 1)), HasSubstr("expected bytes"));
    EXPECT_THAT(refusal(field(1, field(2, "xxxx"))), HasSubstr("expected a float"));
    EXPECT_THAT(refusal(field(1, field(3, "x"))), HasSubstr("expected a number"));
}

TEST(SentencePieceModel, RejectsAFileWithoutPiecesAndNamesTiktoken) {
    EXPECT_THAT(refusal(""), HasSubstr("tiktoken"));
}

TEST(SentencePieceModel, RejectsPiecesThatMakeNoVocabulary) {
    EXPECT_THAT(refusal(small_model() + piece("")), HasSubstr("piece 6 is empty"));
    EXPECT_THAT(refusal(small_model() + piece("a")), HasSubstr("two ids"));
    EXPECT_THAT(refusal(small_model() + piece("x", 2)), HasSubstr("2 unknown pieces"));
    EXPECT_THAT(refusal(piece("a")), HasSubstr("0 unknown pieces"));
    EXPECT_THAT(refusal(small_model() + piece("x", 7)), HasSubstr("type 7"));
    EXPECT_THAT(refusal(small_model() + piece("\xFF")), HasSubstr("not UTF-8"));
    EXPECT_THAT(refusal(small_model() + piece("x", 1, std::numeric_limits<float>::infinity())),
                HasSubstr("not finite"));
}

TEST(SentencePieceModel, RefusesOtherKinds) {
    EXPECT_THAT(refusal(small_model() + field(2, varint_field(3, 4))),
                HasSubstr("model type 4 is not supported"));
    EXPECT_EQ(refusal(small_model() + piece("x", 5)), "accepted");
    EXPECT_THAT(refusal(small_model() + piece("x", 5) + field(2, varint_field(3, 2))), HasSubstr("unused"));
}

// A double array of `units` before `replacements`.
std::string charsmap(const std::vector<std::uint32_t>& units, std::string_view replacements) {
    const auto bytes = static_cast<std::uint32_t>(4 * units.size());
    std::string blob(reinterpret_cast<const char*>(&bytes), 4);
    blob.append(reinterpret_cast<const char*>(units.data()), bytes);
    return blob + std::string(replacements);
}

// The one rule a -> the replacement at `value`: the root leads to 'a' ^ 1, which leads to its leaf beside it.
std::vector<std::uint32_t> rule_for_a(std::uint32_t value) {
    std::vector<std::uint32_t> units(128, 0);
    units[0] = 1 << 10;
    units['a' ^ 1] = 'a' | 1 << 8 | 3 << 10;
    units['a' ^ 1 ^ 3] = 0x8000'0000 | value;
    return units;
}

TEST(Charsmap, ReplacesWhatARuleMatches) {
    const Charsmap map(charsmap(rule_for_a(0), std::string_view("xy\0z\0", 5)), "map");
    ASSERT_TRUE(map.longest("ab"));
    EXPECT_EQ(map.longest("ab")->replacement, "xy");
    EXPECT_EQ(map.shortest("ab")->bytes, 1u);
    EXPECT_FALSE(map.longest("b"));
    EXPECT_FALSE(Charsmap("", "map").longest("a"));
}

std::string charsmap_refusal(const std::string& blob) {
    try {
        Charsmap(blob, "map").longest("a");
    } catch (const FormatError& error) {
        return error.what();
    }
    return "accepted";
}

TEST(Charsmap, RejectsBrokenParts) {
    EXPECT_THAT(charsmap_refusal("abc"), HasSubstr("truncated"));
    EXPECT_THAT(charsmap_refusal(charsmap({}, "x")), HasSubstr("has 0 bytes"));
    EXPECT_THAT(charsmap_refusal(charsmap(rule_for_a(0), "x").substr(0, 100)), HasSubstr("has 512 bytes"));
    EXPECT_THAT(charsmap_refusal(charsmap(rule_for_a(0), "\xFF")), HasSubstr("not UTF-8"));
    EXPECT_THAT(charsmap_refusal(charsmap(rule_for_a(9), "x")), HasSubstr("lies outside"));
    EXPECT_THAT(charsmap_refusal(charsmap(rule_for_a(1), "é")), HasSubstr("inside of a character"));
    EXPECT_THAT(charsmap_refusal(charsmap({1 << 10, 0}, "x")), HasSubstr("out of its bounds"));
    EXPECT_EQ(charsmap_refusal(charsmap(rule_for_a(0), "x")), "accepted");
}

TEST(Base64, IsDecodedStrictly) {
    EXPECT_EQ(base64_decode("", "b"), "");
    EXPECT_EQ(base64_decode("YQ==", "b"), "a");
    EXPECT_EQ(base64_decode("YWI=", "b"), "ab");
    EXPECT_EQ(base64_decode("+/8A", "b"), std::string("\xFB\xFF\0", 3));
    for (const char* bad : {"YQ", "YQ=", "Y===", "====", "YR==", "YWJ=", "Y!==", "Y=Q="})
        EXPECT_THROW(base64_decode(bad, "b"), FormatError) << bad;
}

TEST(ByteTrie, FindsEveryEntryThatBegins) {
    ByteTrie trie;
    int value = 0;
    for (const char* text : {"a", "abc", "", "ab", "a", "b"}) trie.add(text, value++);
    std::vector<std::pair<std::size_t, std::int32_t>> found;
    trie.for_each_at("xabcd", 1,
                     [&](const ByteTrie::Match& match) { found.emplace_back(match.end, match.value); });
    EXPECT_THAT(found, ElementsAre(std::pair(2u, 0), std::pair(3u, 3), std::pair(4u, 1)));
    EXPECT_EQ(trie.longest_at("xabcd", 1)->value, 1);
    EXPECT_FALSE(trie.longest_at("xabcd", 0));
}

TEST(ByteTrie, KeepsManyEntriesApart) {
    ByteTrie trie;
    for (int i = 0; i < 20'000; ++i) trie.add(std::to_string(i) + ".", i);
    for (int i = 0; i < 20'000; ++i) EXPECT_EQ(trie.longest_at(std::to_string(i) + ".1", 0)->value, i);
}

}  // namespace
}  // namespace assay
