// Tokenizers from GGUF vocabularies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/mapped_file.h"
#include "text/byte_level.h"
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

TEST(GgufTokenizer, RefusesSentencePieceModels) {
    GgufVocabulary vocabulary = small_vocabulary("default");
    vocabulary.model = "llama";
    EXPECT_THROW(Tokenizer::from_gguf(vocabulary, "m.gguf"), Unsupported);
    EXPECT_THAT(refusal(vocabulary), HasSubstr("supported: gpt2"));
}

TEST(GgufTokenizer, RefusesAnUnknownPreTokenizerAndListsTheKnownOnes) {
    const GgufVocabulary vocabulary = small_vocabulary("tekken");
    EXPECT_THROW(Tokenizer::from_gguf(vocabulary, "m.gguf"), Unsupported);
    EXPECT_THAT(refusal(vocabulary),
                HasSubstr("supported: smollm, llama-bpe, llama3, gpt-2, qwen2, default"));
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
