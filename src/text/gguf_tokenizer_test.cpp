// Tokenizers from GGUF vocabularies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "base/mapped_file.h"
#include "text/bpe.h"
#include "text/byte_level.h"
#include "text/byte_tokens.h"
#include "text/gguf_tokenizer_json.h"
#include "text/tokenizer.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// All bytes, the word "ab" and a control token.
GgufVocabulary small_vocabulary(const std::string& pre) {
    GgufVocabulary vocabulary{.model = "gpt2", .pre = pre};
    for (int byte = 0; byte < 256; ++byte) {
        vocabulary.tokens.push_back(bytes_to_characters(std::string(1, static_cast<char>(byte))));
    }
    vocabulary.tokens.insert(vocabulary.tokens.end(), {"ab", "<s>", "user", "12"});
    vocabulary.token_types.assign(vocabulary.tokens.size(), 1);
    vocabulary.token_types[257] = 3;
    vocabulary.token_types[258] = 4;
    vocabulary.merges = {"a b", "1 2"};
    vocabulary.bos_id = 257;
    return vocabulary;
}

std::string refusal(const GgufVocabulary& vocabulary) {
    try {
        Tokenizer::from_gguf(vocabulary, "m.gguf");
    } catch (const FormatError& error) {
        return error.what();
    }
    return "accepted";
}

// The pipeline of a GGUF file is that of the tokenizer.json it was made from.
TEST(GgufTokenizer, EqualsTheTokenizerJsonItWasMadeFrom) {
    const auto folder = std::filesystem::path(ASSAY_TEST_DATA) / "tokenizers" / "llama3";
    const Json json = parse_json(read_file(folder / "tokenizer.json"), "llama3");
    GgufVocabulary vocabulary{.model = "gpt2", .pre = "llama-bpe"};
    vocabulary.tokens.resize(json["model"]["vocab"].size() + json["added_tokens"].size());
    vocabulary.token_types.assign(vocabulary.tokens.size(), 1);
    for (const auto& [token, id] : json["model"]["vocab"].items())
        vocabulary.tokens[id.get<std::size_t>()] = token;
    for (const Json& token : json["added_tokens"]) {
        vocabulary.tokens[token["id"].get<std::size_t>()] = token["content"];
        vocabulary.token_types[token["id"].get<std::size_t>()] = 3;
    }
    for (const Json& merge : json["model"]["merges"]) vocabulary.merges.push_back(merge);
    vocabulary.bos_id = 2006;

    const Tokenizer tokenizer = Tokenizer::from_gguf(vocabulary, "m.gguf");
    const Json cases = parse_json(read_file(folder / "cases.json"), "cases");
    for (const Json& expected : cases["cases"]) {
        const std::string text = expected["text"];
        const auto ids = expected["ids"].get<std::vector<std::int32_t>>();
        EXPECT_EQ(tokenizer.encode(text, false), ids) << text;
        EXPECT_EQ(tokenizer.decode(ids, false), expected.value("decoded", text));
    }
    EXPECT_TRUE(tokenizer.adds_bos());
}

TEST(GgufTokenizer, CutsNumbersAsItsPreTokenizerAsks) {
    const auto encode = [](const char* pre, std::string_view text) {
        return Tokenizer::from_gguf(small_vocabulary(pre), "m.gguf").encode(text, false);
    };
    EXPECT_THAT(encode("gpt-2", "12"), ElementsAre(259));
    EXPECT_THAT(encode("llama3", "12"), ElementsAre(259));
    EXPECT_THAT(encode("default", "12"), ElementsAre(259));
    EXPECT_THAT(encode("smollm", "12"), ElementsAre('1', '2'));
    EXPECT_THAT(encode("qwen2", "12"), ElementsAre('1', '2'));
}

TEST(GgufTokenizer, NormalizesForQwen2Only) {
    const auto length = [](const char* pre) {
        return Tokenizer::from_gguf(small_vocabulary(pre), "m.gguf").encode("e\u0301", false).size();
    };
    EXPECT_EQ(length("qwen2"), 2u);
    EXPECT_EQ(length("gpt-2"), 3u);
}

TEST(GgufTokenizer, FindsControlAndUserDefinedTokensInTexts) {
    const Tokenizer tokenizer = Tokenizer::from_gguf(small_vocabulary("smollm"), "m.gguf");
    EXPECT_THAT(tokenizer.encode("ab<s>user", false), ElementsAre(256, 257, 258));
    EXPECT_EQ(tokenizer.decode(std::vector<std::int32_t>{256, 257, 258}, true), "abuser");
}

TEST(GgufTokenizer, AddsTheTokensThatTheFileAsksFor) {
    GgufVocabulary vocabulary = small_vocabulary("llama-bpe");
    EXPECT_THAT(Tokenizer::from_gguf(vocabulary, "m.gguf").encode("ab", true), ElementsAre(257, 256));
    vocabulary.add_bos = false;
    const Tokenizer tokenizer = Tokenizer::from_gguf(vocabulary, "m.gguf");
    EXPECT_THAT(tokenizer.encode("ab", true), ElementsAre(256));
    EXPECT_EQ(tokenizer.bos_id(), 257);
    vocabulary.add_eos = true;
    vocabulary.eos_id = 258;
    EXPECT_THAT(Tokenizer::from_gguf(vocabulary, "m.gguf").encode("ab", true), ElementsAre(256, 258));
}

TEST(GgufTokenizer, RefusesOtherModelsAndListsTheKnownOnes) {
    GgufVocabulary vocabulary = small_vocabulary("default");
    vocabulary.model = "t5";
    EXPECT_THROW(Tokenizer::from_gguf(vocabulary, "m.gguf"), Unsupported);
    EXPECT_THAT(refusal(vocabulary), HasSubstr("supported: gpt2 (byte-level BPE), llama"));
}

TEST(GgufTokenizer, RefusesAnUnknownPreTokenizerAndListsTheKnownOnes) {
    const GgufVocabulary vocabulary = small_vocabulary("kimi-k2");
    EXPECT_THROW(Tokenizer::from_gguf(vocabulary, "m.gguf"), Unsupported);
    EXPECT_THAT(refusal(vocabulary), HasSubstr("supported: smollm, starcoder"));
}

// How many pieces a way to cut makes of a text, counted by its tokens: every merge of two bytes is a token.
TEST(GgufTokenizer, CutsAsEachPreTokenizerDoes) {
    const std::string text = "Don't CamelCase 1234/\n\nx";
    const auto pieces = [&](const char* pre) {
        const Json json = gguf_tokenizer_json(small_vocabulary(pre), "m.gguf");
        std::vector<std::string> pieces;
        build_pre_tokenizer(&json["pre_tokenizer"], pre)({.text = text},
                                                         [&](std::string_view p) { pieces.emplace_back(p); });
        return pieces;
    };
    const auto llama3 = ElementsAre("Don", "'t", "ĠCamelCase", "Ġ", "123", "4", "/ĊĊ", "x");
    for (const char* pre :
         {"llama-bpe", "llama-v3", "falcon3", "pixtral", "dbrx", "smaug-bpe", "glm4", "chatglm-bpe"})
        EXPECT_THAT(pieces(pre), llama3) << pre;
    EXPECT_THAT(pieces("tekken"),
                ElementsAre("Don", "'t", "ĠCamel", "Case", "Ġ", "1", "2", "3", "4", "/ĊĊ", "x"));
    for (const char* pre : {"gpt-4o", "llama4"})
        EXPECT_THAT(pieces(pre), ElementsAre("Don't", "ĠCamel", "Case", "Ġ", "123", "4", "/ĊĊ", "x")) << pre;
    for (const char* pre : {"qwen2", "deepseek-r1-qwen"})
        EXPECT_THAT(pieces(pre), ElementsAre("Don", "'t", "ĠCamelCase", "Ġ", "1", "2", "3", "4", "/ĊĊ", "x"))
            << pre;
    EXPECT_THAT(pieces("deepseek-v3"), ElementsAre("Don", "'t", "ĠCamelCase", "Ġ", "123", "4", "/ĊĊ", "x"));
    EXPECT_THAT(pieces("deepseek-coder"),
                ElementsAre("Don", "'", "t", "ĠCamelCase", "Ġ", "1", "2", "3", "4", "/", "Ċ", "Ċ", "x"));
    for (const char* pre : {"gpt-2", "phi-2"})
        EXPECT_THAT(pieces(pre), ElementsAre("Don", "'t", "ĠCamelCase", "Ġ1234", "/", "Ċ", "Ċ", "x")) << pre;
    for (const char* pre : {"smollm", "starcoder", "refact"})
        EXPECT_THAT(pieces(pre),
                    ElementsAre("Don", "'t", "ĠCamelCase", "Ġ", "1", "2", "3", "4", "/", "Ċ", "Ċ", "x"))
            << pre;
}

// The tokens of a tokenizer.json of BPE as a llama vocabulary: scores fall with the merges.
GgufVocabulary scored_vocabulary_of(const Json& json) {
    GgufVocabulary vocabulary{.model = "llama"};
    const std::size_t size = json["model"]["vocab"].size();
    vocabulary.tokens.resize(size);
    vocabulary.token_types.assign(size, 1);
    vocabulary.scores.assign(size, -1e6f);
    for (const auto& [token, id] : json["model"]["vocab"].items())
        vocabulary.tokens[id.get<std::size_t>()] = token;
    for (std::size_t id = 0; id < size; ++id)
        if (byte_of_token(vocabulary.tokens[id])) vocabulary.token_types[id] = 6;
    for (const Json& token : json["added_tokens"]) vocabulary.token_types[token["id"].get<std::size_t>()] = 3;
    vocabulary.token_types[0] = 2;
    float score = 0;
    for (const Json& merge : json["model"]["merges"]) {
        const auto [left, right] = parse_merge(merge.get<std::string>(), "merges");
        vocabulary.scores[json["model"]["vocab"][left + right].get<std::size_t>()] = score--;
    }
    vocabulary.bos_id = 1;
    vocabulary.eos_id = 2;
    return vocabulary;
}

TEST(GgufTokenizer, OfLlamaEncodesAsTheTokenizerJsonItWasMadeFrom) {
    const auto folder = std::filesystem::path(ASSAY_TEST_DATA) / "tokenizers" / "llama2";
    const GgufVocabulary vocabulary =
        scored_vocabulary_of(parse_json(read_file(folder / "tokenizer.json"), "llama2"));
    const Tokenizer tokenizer = Tokenizer::from_gguf(vocabulary, "m.gguf");
    const Tokenizer converted =
        Tokenizer::from_json(gguf_tokenizer_json(vocabulary, "m.gguf").dump(), "m.json");
    const Json cases = parse_json(read_file(folder / "cases.json"), "cases");
    for (const Json& expected : cases["cases"]) {
        const std::string text = expected["text"];
        const auto ids = expected["ids"].get<std::vector<std::int32_t>>();
        EXPECT_EQ(tokenizer.encode(text, false), ids) << text;
        EXPECT_EQ(converted.encode(text, false), ids) << text;
        EXPECT_EQ(tokenizer.decode(ids, false), expected.value("decoded", text));
        EXPECT_EQ(converted.decode(ids, false), expected.value("decoded", text));
    }
    EXPECT_TRUE(tokenizer.adds_bos());
    EXPECT_EQ(tokenizer.bos_id(), 1);
}

TEST(GgufTokenizer, OfLlamaEncodesAsTheSentencePieceModelItWasMadeFrom) {
    const auto folder = std::filesystem::path(ASSAY_TEST_DATA) / "tokenizers" / "sentencepiece-bpe";
    const auto model = parse_sentencepiece_model(read_file(folder / "tokenizer.model"), "model");
    GgufVocabulary vocabulary{.model = "llama", .bos_id = 1};
    std::vector<std::string>
        cut_out;  // SentencePiece never looks for control tokens, and puts nothing behind others
    for (const auto& piece : model.pieces) {
        vocabulary.tokens.push_back(piece.text);
        vocabulary.scores.push_back(piece.score);
        vocabulary.token_types.push_back(static_cast<std::int32_t>(piece.type));
        if (vocabulary.token_types.back() >= 2 && vocabulary.token_types.back() <= 4)
            cut_out.push_back(piece.text);
    }
    const Tokenizer tokenizer = Tokenizer::from_gguf(vocabulary, "m.gguf");
    int compared = 0;
    const Json cases = parse_json(read_file(folder / "cases.json"), "cases");
    for (const Json& expected : cases["cases"]) {
        const std::string text = expected["text"];
        const auto contains = [&](const std::string& token) { return text.find(token) != text.npos; };
        if (std::any_of(cut_out.begin(), cut_out.end(), contains)) continue;
        EXPECT_EQ(tokenizer.encode(text, false), expected["ids"].get<std::vector<std::int32_t>>()) << text;
        ++compared;
    }
    EXPECT_GT(compared, 280);
}

GgufVocabulary small_llama() {
    return {.model = "llama",
            .tokens = {"<unk>", "<s>", "</s>", "a", "b", "ab", "ba", "▁", "▁a", "user"},
            .token_types = {2, 3, 3, 1, 1, 1, 1, 1, 1, 4},
            .scores = {0, 0, 0, -9, -9, -1, -1, -9, -2, 0},
            .bos_id = 1,
            .eos_id = 2};
}

TEST(GgufTokenizer, OfLlamaMergesByScoreAndThenLeftmost) {
    GgufVocabulary vocabulary = small_llama();
    const auto encode = [&](std::string_view text) {
        return Tokenizer::from_gguf(vocabulary, "m.gguf").encode(text, false);
    };
    EXPECT_THAT(encode("bab"), ElementsAre(7, 6, 4));
    EXPECT_THAT(encode("ab"), ElementsAre(7, 5));  // ab before ▁a
    vocabulary.scores[8] = 0;
    EXPECT_THAT(encode("ab"), ElementsAre(8, 4));
    vocabulary.scores.clear();
    EXPECT_THAT(encode("ab"), ElementsAre(8, 4));
}

TEST(GgufTokenizer, OfLlamaPutsASpaceBehindEveryTokenThatCutsTheText) {
    GgufVocabulary vocabulary = small_llama();
    EXPECT_THAT(Tokenizer::from_gguf(vocabulary, "m.gguf").encode("a<s>auser b", true),
                ElementsAre(1, 8, 1, 8, 9, 7, 7, 4));
    vocabulary.add_space_prefix = false;
    EXPECT_THAT(Tokenizer::from_gguf(vocabulary, "m.gguf").encode("a<s>auser b", true),
                ElementsAre(1, 3, 1, 3, 9, 7, 4));
}

TEST(GgufTokenizer, OfLlamaMakesUnknownCharactersOneTokenWhereBytesAreMissing) {
    GgufVocabulary vocabulary = small_llama();
    EXPECT_THAT(Tokenizer::from_gguf(vocabulary, "m.gguf").encode("axyb", false), ElementsAre(8, 0, 4));
    vocabulary.tokens.push_back("<0x78>");
    vocabulary.token_types.push_back(6);
    vocabulary.scores.push_back(0);
    EXPECT_THAT(Tokenizer::from_gguf(vocabulary, "m.gguf").encode("axyb", false), ElementsAre(8, 10, 0, 4));
}

TEST(GgufTokenizer, OfLlamaRejectsScoresOfAnotherCountOrNotFinite) {
    GgufVocabulary vocabulary = small_llama();
    vocabulary.scores[3] = std::nanf("");
    EXPECT_THAT(refusal(vocabulary), HasSubstr("score of token 3 is not finite"));
    vocabulary.scores.pop_back();
    EXPECT_THAT(refusal(vocabulary), HasSubstr("scores has 9 entries for 10 tokens"));
}

TEST(GgufTokenizer, RejectsTokenTypesOfAnotherCount) {
    GgufVocabulary vocabulary = small_vocabulary("smollm");
    vocabulary.token_types.pop_back();
    EXPECT_THAT(refusal(vocabulary), HasSubstr("token_type has 259 entries for 260 tokens"));
}

TEST(GgufTokenizer, RejectsATokenThatStandsTwice) {
    GgufVocabulary vocabulary = small_vocabulary("smollm");
    vocabulary.tokens[5] = "ab";
    EXPECT_THAT(refusal(vocabulary), HasSubstr("twice"));
}

TEST(GgufTokenizer, RejectsTokensAndMergesThatAreNotUtf8) {
    GgufVocabulary vocabulary = small_vocabulary("smollm");
    vocabulary.tokens[5] = "\xff";
    EXPECT_THAT(refusal(vocabulary), HasSubstr("token 5"));
    vocabulary = small_vocabulary("smollm");
    vocabulary.merges[0] = "\xff b";
    EXPECT_THAT(refusal(vocabulary), HasSubstr("not UTF-8"));
}

TEST(GgufTokenizer, RejectsAMissingOrUnknownBosThatTextsGet) {
    GgufVocabulary vocabulary = small_vocabulary("llama3");
    vocabulary.bos_id = std::nullopt;
    EXPECT_THAT(refusal(vocabulary), HasSubstr("bos_token_id"));
    vocabulary.bos_id = 1000;
    EXPECT_THAT(refusal(vocabulary), HasSubstr("bos_token_id"));
}

}  // namespace
}  // namespace assay
