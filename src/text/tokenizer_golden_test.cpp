// Goldens from the `tokenizers` library; see tests/data/tokenizers/README.md.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/mapped_file.h"
#include "base/sha256.h"
#include "container/json.h"
#include "text/builtin_text.h"
#include "text/tokenizer.h"

namespace assay {
namespace {

using Ids = std::vector<std::int32_t>;
using ::testing::SizeIs;

std::filesystem::path folder_of(const std::string& name) {
    return std::filesystem::path(ASSAY_TEST_DATA) / "tokenizers" / name;
}

Tokenizer load(const std::string& name) {
    return Tokenizer::from_json(read_file(folder_of(name) / "tokenizer.json"), name);
}

Json cases_of(const std::string& name) {
    return require_array(parse_json(read_file(folder_of(name) / "cases.json"), name), "cases", name);
}

class TokenizerGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(TokenizerGolden, EncodesEveryCaseAsTheLibraryDoes) {
    const Tokenizer tokenizer = load(GetParam());
    const Json cases = cases_of(GetParam());
    ASSERT_THAT(cases, SizeIs(330));
    for (const Json& expected : cases) {
        const std::string text = expected["text"];
        EXPECT_EQ(tokenizer.encode(text, false), expected["ids"].get<Ids>()) << text;
        if (expected.contains("ids_with_special")) {
            EXPECT_EQ(tokenizer.encode(text, true), expected["ids_with_special"].get<Ids>()) << text;
        }
    }
}

TEST_P(TokenizerGolden, DecodesEveryCaseAsTheLibraryDoes) {
    const Tokenizer tokenizer = load(GetParam());
    const Json cases = cases_of(GetParam());
    for (const Json& expected : cases) {
        const Ids ids = expected["ids"];
        const std::string decoded = expected.value("decoded", expected["text"].get<std::string>());
        EXPECT_EQ(tokenizer.decode(ids, false), decoded);
        EXPECT_EQ(tokenizer.decode(ids, true), expected.value("decoded_skip_special", decoded));
    }
}

INSTANTIATE_TEST_SUITE_P(Tokenizers, TokenizerGolden,
                         ::testing::Values("smollm2", "llama3", "qwen2", "llama2", "metaspace", "gemma",
                                           "unigram"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST(Tokenizer, EncodesTheEvaluationTextAsTheLibraryDoes) {
    struct Expected {
        const char* name;
        std::size_t tokens;
        const char* sha256;
    };
    constexpr Expected kExpected[] = {
        {"smollm2", 304'830, "f1fc968436f59cc521729ce7380120ad247797684b8eb530062c486b00d9bc13"},
        {"llama2", 521'666, "f8301996d3ee409760dc1c165a7f9c40ca99f39e477c324fbbba9fdeada1419d"},
        {"gemma", 521'665, "d2a2a12f14f592e2a57c53a199b2361142ca4bab86cfc893f2027e1df6aa387c"},
        {"unigram", 521'985, "e0ef1f1a2f2327634491cf18471c54bfb6b11b4a98b0880bbd9deb9d0b89defc"}};
    for (const Expected& expected : kExpected) {
        const Ids ids = load(expected.name).encode(builtin_evaluation_text(), false);
        EXPECT_THAT(ids, SizeIs(expected.tokens)) << expected.name;
        EXPECT_EQ(sha256_hex(std::as_bytes(std::span(ids))), expected.sha256) << expected.name;
    }
}

TEST(Tokenizer, TellsVocabularyAndSpecialTokens) {
    const Tokenizer smollm2 = load("smollm2");
    EXPECT_EQ(smollm2.vocabulary_size(), 49'152);
    EXPECT_EQ(smollm2.token_text(0), "<|endoftext|>");
    EXPECT_EQ(smollm2.id_of("<|im_start|>"), 1);
    EXPECT_FALSE(smollm2.token_text(49'152));
    EXPECT_FALSE(smollm2.adds_bos());
    EXPECT_FALSE(smollm2.bos_id());

    const Tokenizer llama3 = load("llama3");
    EXPECT_EQ(llama3.vocabulary_size(), 2012);
    EXPECT_TRUE(llama3.adds_bos());
    EXPECT_EQ(llama3.bos_id(), 2006);
    EXPECT_FALSE(llama3.eos_id());
}

TEST(Tokenizer, EncodesAVeryLongWordWithoutQuadraticWork) {
    const std::string word(1 << 20, 'a');
    for (const char* name : {"smollm2", "llama2", "unigram"}) {
        const Tokenizer tokenizer = load(name);
        EXPECT_EQ(tokenizer.decode(tokenizer.encode(word, false), false), word);
    }
}

TEST(BuiltinText, IsTheTestSplitOfWikitext2) {
    const std::string_view text = builtin_evaluation_text();
    EXPECT_EQ(sha256_hex(std::as_bytes(std::span(text))),
              "4f3e427e4aff23acff917a8a51aeae21bf12832256e26914c8fc250dcef4103c");
    EXPECT_EQ(builtin_evaluation_text_name(), "wikitext-2-raw test");
}

}  // namespace
}  // namespace assay
