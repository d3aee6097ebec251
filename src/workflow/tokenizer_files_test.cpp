// Which of a folder's tokenizer files is read.
#include "workflow/tokenizer_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "container/temporary_folder.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TokenizerFilesTest : public TemporaryFolder {
  protected:
    void copy(const char* from) {
        fs::copy(fs::path(ASSAY_TEST_DATA) / "tokenizers" / from, folder_ / fs::path(from).filename());
    }
    void write_config(const char* json) { std::ofstream(folder_ / "tokenizer_config.json") << json; }
    Tokenizer load() { return load_tokenizer({.path = folder_, .format = "safetensors"}); }

    std::string refusal() {
        try {
            load();
        } catch (const FormatError& error) {
            return error.what();
        }
        return "accepted";
    }
};

TEST_F(TokenizerFilesTest, TokenizerJsonComesFirst) {
    copy("llama2/tokenizer.json");
    EXPECT_EQ(load().vocabulary_size(), 1999);
    copy("sentencepiece-bpe/tokenizer.model");
    EXPECT_EQ(load().vocabulary_size(), 1999);
}

TEST_F(TokenizerFilesTest, TokenizerModelServesWithoutIt) {
    copy("sentencepiece-bpe/tokenizer.model");
    EXPECT_EQ(load().vocabulary_size(), 1500);
    EXPECT_THAT(load().encode("", true), ElementsAre(1));
}

TEST_F(TokenizerFilesTest, TheConfigBesideBothCounts) {
    copy("sentencepiece-bpe/tokenizer.model");
    write_config(R"({"add_bos_token": false})");
    EXPECT_THAT(load().encode("", true), IsEmpty());
    copy("llama2/tokenizer.json");
    EXPECT_THAT(load().encode("", true), ElementsAre(1));  // of no family that rebuilds the template
    write_config(R"({"add_bos_token": false, "tokenizer_class": "LlamaTokenizer"})");
    EXPECT_THAT(load().encode("", true), IsEmpty());
}

TEST_F(TokenizerFilesTest, AFolderWithNeitherIsRefusedNamingBoth) {
    EXPECT_THAT(refusal(), ::testing::AllOf(HasSubstr("tokenizer.json"), HasSubstr("tokenizer.model"),
                                            HasSubstr("--ids")));
}

TEST_F(TokenizerFilesTest, ABrokenFileIsNamed) {
    std::ofstream(folder_ / "tokenizer.model") << "AAA= 0\n";
    EXPECT_THAT(refusal(), HasSubstr((folder_ / "tokenizer.model").string()));
    copy("llama2/tokenizer.json");
    write_config("{");
    EXPECT_THAT(refusal(), HasSubstr("tokenizer_config.json"));
}

// A sparse file: refused by its size alone.
TEST_F(TokenizerFilesTest, HugeFilesAreRefused) {
    for (const char* name : {"tokenizer.model", "tokenizer.json"}) {
        std::ofstream(folder_ / name) << "x";
        fs::resize_file(folder_ / name, (std::uintmax_t{256} << 20) + 1);
        EXPECT_THAT(refusal(), HasSubstr(name));
        EXPECT_THAT(refusal(), HasSubstr("more than the"));
    }
}

}  // namespace
}  // namespace assay
