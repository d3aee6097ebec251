#include "workflow/calibration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "container/temporary_folder.h"
#include "model/test_models.h"
#include "text/windows.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

// Letters and the space are tokens; others vanish.
Tokenizer letters(const TokenizerConfig& config = {}) {
    Json vocab = {{" ", 26}, {"<s>", 27}};
    for (int i = 0; i < 26; ++i) vocab[std::string(1, static_cast<char>('a' + i))] = i;
    const Json json = {{"version", "1.0"},
                       {"added_tokens", Json::array()},
                       {"normalizer", nullptr},
                       {"pre_tokenizer", nullptr},
                       {"post_processor", nullptr},
                       {"decoder", nullptr},
                       {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", Json::array()}}}};
    return Tokenizer::from_json(json.dump(), "letters", config);
}

class WorkflowCalibrationTest : public TemporaryFolder {
  protected:
    Calibration build(const CalibrationText& options, std::span<const EvaluationWindow> evaluation) {
        return build_calibration(model_, tokenizer_, options, evaluation);
    }
    // Measured on letters that no text has in this order.
    Calibration build(const CalibrationText& options) {
        const std::vector<EvaluationWindow> elsewhere{{std::vector<std::int32_t>(64, 25)}};
        return build(options, elsewhere);
    }

    std::string write(const std::string& name, std::size_t letters, std::uint64_t seed) {
        Rng rng(seed);
        std::ofstream file(folder_ / name);
        for (std::size_t i = 0; i < letters; ++i) file << static_cast<char>('a' + rng.below(25));
        return (folder_ / name).string();
    }

    static std::vector<std::string> kinds(const Calibration& c) {
        std::vector<std::string> all;
        for (const auto& warning : c.record.warnings) all.push_back(warning.kind);
        return all;
    }

    Model model_ = random_model(small_llama_config());
    Tokenizer tokenizer_ = letters();
};

TEST_F(WorkflowCalibrationTest, AFolderGivesWindowsWithTheirProvenance) {
    write("a.txt", 3000, 1);
    write("b.txt", 2000, 2);
    const Calibration c = build({.set = folder_.string(), .samples = 20, .length = 100, .seed = 7});
    ASSERT_EQ(c.windows.size(), 20u);
    for (const EvaluationWindow& window : c.windows) {
        EXPECT_EQ(window.tokens.size(), 100u);
        EXPECT_EQ(window.context, 0);
    }
    EXPECT_THAT(kinds(c), IsEmpty());
    EXPECT_THAT(c.files, ElementsAre(folder_ / "a.txt", folder_ / "b.txt"));
    ASSERT_EQ(c.record.sources.size(), 2u);
    EXPECT_EQ(c.record.sources[0].bytes, 3000);
    EXPECT_EQ(c.record.sources[0].documents, 1);
    EXPECT_EQ(c.record.sources[0].sha256.size(), 64u);
    EXPECT_NE(c.record.sources[0].sha256, c.record.sources[1].sha256);
    EXPECT_EQ(c.record.windows_sha256, windows_sha256(c.windows));
    EXPECT_EQ(c.record.samples, 20);
    EXPECT_EQ(c.record.seed, 7);
}

TEST_F(WorkflowCalibrationTest, BuiltInSetsAreThereByName) {
    const Calibration c4 = build({.set = "c4", .samples = 3, .length = 64});
    const Calibration all = build({.set = "mixed", .samples = 3, .length = 64});
    ASSERT_EQ(c4.record.sources.size(), 1u);
    EXPECT_EQ(c4.record.sources[0].name, "built-in: c4");
    EXPECT_EQ(c4.record.sources[0].sha256,  // data/calibration/README.md
              "062fd589a8cc7857c68203a61099669b1721d24a22b91506b7ed158c775d3531");
    EXPECT_EQ(all.record.sources.size(), 3u);
    EXPECT_THAT(all.files, IsEmpty());
}

TEST_F(WorkflowCalibrationTest, SetsMayBeMixedByWeight) {
    const std::string a = write("a.txt", 3000, 1), b = write("b.txt", 3000, 2);
    const Calibration mixed = build({.set = a + ":2," + b + ":1", .samples = 12, .length = 100, .seed = 3});
    const Calibration only_a = build({.set = a, .samples = 8, .length = 100, .seed = 3}),
                      only_b = build({.set = b, .samples = 4, .length = 100, .seed = 3});
    const auto count = [&](const Calibration& of) {
        return std::count_if(mixed.windows.begin(), mixed.windows.end(), [&](const EvaluationWindow& w) {
            return std::any_of(of.windows.begin(), of.windows.end(),
                               [&](const EvaluationWindow& own) { return own.tokens == w.tokens; });
        });
    };
    EXPECT_EQ(count(only_a), 8);
    EXPECT_EQ(count(only_b), 4);
    EXPECT_EQ(mixed.record.sources.size(), 2u);
    EXPECT_EQ(mixed.files.size(), 2u);
    EXPECT_EQ(mixed.record.samples, 12);
    EXPECT_THROW(build({.set = a + ":2,nowhere:1"}), InvalidArgument);
}

TEST_F(WorkflowCalibrationTest, WindowsAreNoLongerThanTheModelsContext) {
    const Calibration c = build({.set = write("a.txt", 6000, 1), .samples = 8, .length = 2048});
    EXPECT_EQ(c.record.length, 512);
    EXPECT_EQ(c.record.length_asked, 2048);
    EXPECT_EQ(c.windows[0].tokens.size(), 512u);
}

TEST_F(WorkflowCalibrationTest, WarnsOfTextThatIsMeasuredOnAndOfTooLittle) {
    const std::string path = write("a.txt", 1000, 1);
    const Calibration c = build({.set = path, .samples = 20, .length = 60});
    EXPECT_THAT(kinds(c), ElementsAre("too_few_samples"));
    const Calibration twice = build({.set = path, .samples = 16, .length = 60}, c.windows);
    EXPECT_THAT(kinds(twice), ElementsAre("overlap"));
    EXPECT_EQ(twice.record.overlap_share, 1);
    // The widest input has 80 channels.
    EXPECT_THAT(kinds(build({.set = path, .samples = 10, .length = 60})), ElementsAre("too_few_tokens"));
}

TEST_F(WorkflowCalibrationTest, BosIsPutInFrontOrItsAbsenceTold) {
    const CalibrationText options{.set = write("a.txt", 1500, 1), .samples = 11, .length = 100};
    tokenizer_ = letters({.tokenizer_class = "LlamaTokenizer", .add_bos = true, .bos_token = "<s>"});
    const Calibration with = build(options);
    EXPECT_TRUE(with.record.bos_per_window);
    EXPECT_THAT(kinds(with), IsEmpty());
    for (const EvaluationWindow& window : with.windows) EXPECT_EQ(window.tokens.front(), 27);
    tokenizer_ = letters({.tokenizer_class = "LlamaTokenizer", .add_bos = false, .bos_token = "<s>"});
    const Calibration without = build(options);
    EXPECT_FALSE(without.record.bos_per_window);
    EXPECT_THAT(kinds(without), ElementsAre("no_bos"));
}

TEST_F(WorkflowCalibrationTest, RefusesWhatIsNeitherASetNorAPath) {
    EXPECT_THAT([&] { build({.set = "pile"}); },
                ThrowsMessage<InvalidArgument>(HasSubstr("the built-in sets are c4, code, wiki and mixed")));
}

}  // namespace
}  // namespace assay
