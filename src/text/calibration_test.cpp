// Windows from documents of known letters: a token a letter.
#include "text/calibration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "base/rng.h"
#include "text/builtin_text.h"
#include "text/calibration_checks.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

constexpr std::int32_t kBos = 26;

// Letters are tokens 0 to 25; BOS is put before texts where asked for.
Tokenizer letters(bool bos = false) {
    Json vocab;
    for (int i = 0; i < 26; ++i) vocab[std::string(1, static_cast<char>('a' + i))] = i;
    vocab["<s>"] = kBos;
    Json json = {{"version", "1.0"},
                 {"added_tokens", Json::array()},
                 {"normalizer", nullptr},
                 {"pre_tokenizer", nullptr},
                 {"post_processor", nullptr},
                 {"decoder", nullptr},
                 {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", Json::array()}}}};
    if (bos) {
        json["post_processor"] = Json::parse(R"({"type": "TemplateProcessing", "pair": [],
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [26], "tokens": ["<s>"]}}})");
    }
    return Tokenizer::from_json(json.dump(), "letters");
}

std::string random_letters(std::size_t count, std::uint64_t seed) {
    Rng rng(seed);
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += static_cast<char>('a' + rng.below(26));
    return text;
}

class CalibrationTest : public ::testing::Test {
  protected:
    // Documents, each a line of a .jsonl.
    SampledWindows sample(const std::vector<std::string>& texts, const SamplingOptions& options,
                          bool bos = false) {
        lines_.clear();
        for (const std::string& text : texts) lines_ += Json{{"text", text}}.dump() + "\n";
        return sample_windows(DocumentSet({{"lines", lines_, true}}, "text", 1 << 20), letters(bos), options);
    }

    std::string lines_;
};

TEST_F(CalibrationTest, TheSeedDecidesTheWindows) {
    const std::vector<std::string> texts{random_letters(500, 1), random_letters(300, 2),
                                         random_letters(40, 3)};
    const SamplingOptions options{.samples = 6, .length = 50, .seed = 9};
    const auto windows = sample(texts, options).windows;
    EXPECT_EQ(windows, sample(texts, options).windows);
    EXPECT_NE(windows, sample(texts, {.samples = 6, .length = 50, .seed = 10}).windows);
}

TEST_F(CalibrationTest, EveryTokenIsInOneWindowAtMostAndNoneIsWasted) {
    // Each document has a letter of its own: its tokens can be counted.
    std::vector<std::string> texts;
    std::map<std::int32_t, std::size_t> there, used;
    for (int i = 0; i < 20; ++i) {
        const std::size_t length = 7 + 13 * static_cast<std::size_t>(i);
        texts.emplace_back(length, static_cast<char>('a' + i));
        there[i] = length;
    }
    const SampledWindows all = sample(texts, {.samples = 1000, .length = 32});
    for (const auto& window : all.windows) {
        ASSERT_EQ(window.size(), 32u);
        for (const std::int32_t id : window) ++used[id];
    }
    std::size_t text = 0, taken = 0;
    for (const auto& [id, count] : there) {
        text += count;
        taken += used[id];
        EXPECT_LE(used[id], count);
    }
    EXPECT_LT(text - taken, 32u);
    EXPECT_EQ(all.documents_read, 20);
    std::int64_t joined = 0;
    for (const auto& window : all.windows)
        joined += std::set(window.begin(), window.end()).size() > 1 ? 1 : 0;
    EXPECT_GE(all.joined_windows, joined);
    EXPECT_GT(joined, 0);
}

TEST_F(CalibrationTest, DocumentsShareTheWindowsBeforeOneGivesMore) {
    std::vector<std::string> texts{std::string(10000, 'z')};
    for (int i = 0; i < 9; ++i) texts.push_back(random_letters(64, static_cast<std::uint64_t>(i)));
    const auto of_z = [](const SampledWindows& all) {
        return std::count(all.windows.begin(), all.windows.end(), std::vector<std::int32_t>(32, 25));
    };
    EXPECT_LE(of_z(sample(texts, {.samples = 10, .length = 32})), 1 + 1);  // its share, and what is joined
    EXPECT_GE(of_z(sample(texts, {.samples = 100, .length = 32})), 75);
    EXPECT_EQ(sample(texts, {.samples = 100, .length = 32}).windows.size(), 100u);
}

TEST_F(CalibrationTest, ReadsNoMoreThanItNeeds) {
    std::vector<std::string> texts;
    for (std::uint64_t i = 0; i < 200; ++i) texts.push_back(random_letters(64, i));
    const SampledWindows few = sample(texts, {.samples = 5, .length = 32});
    EXPECT_EQ(few.windows.size(), 5u);
    EXPECT_LE(few.documents_read, 5);
}

TEST_F(CalibrationTest, HeldOutDocumentsAreApartFromLearnedOnesInAnySet) {
    std::vector<std::string> texts;
    for (std::uint64_t i = 0; i < 60; ++i) texts.push_back(random_letters(100, i));
    const auto all_tokens = [&](Documents documents, std::size_t first) {
        const std::vector<std::string> part(texts.begin() + static_cast<std::ptrdiff_t>(first), texts.end());
        std::set<std::vector<std::int32_t>> runs;
        for (const auto& w :
             sample(part, {.samples = 1000, .length = 100, .seed = first, .documents = documents}).windows)
            runs.insert(w);
        return runs;
    };
    const auto learned = all_tokens(Documents::kLearned, 0), held_out = all_tokens(Documents::kHeldOut, 20);
    EXPECT_GT(held_out.size(), 2u);
    EXPECT_GT(learned.size(), 3 * held_out.size() / 2);
    for (const auto& run : held_out) EXPECT_FALSE(learned.contains(run));
    EXPECT_EQ(all_tokens(Documents::kAll, 0).size(), texts.size());
}

TEST_F(CalibrationTest, WindowsBeginWithBosWhereTheTokenizerPutsIt) {
    const SampledWindows with = sample({random_letters(500, 1)}, {.samples = 5, .length = 20}, true);
    EXPECT_TRUE(with.bos);
    for (const auto& window : with.windows) {
        EXPECT_EQ(window.size(), 20u);
        EXPECT_EQ(window.front(), kBos);
        EXPECT_EQ(std::count(window.begin(), window.end(), kBos), 1);
    }
    EXPECT_FALSE(sample({random_letters(500, 1)}, {.samples = 5, .length = 20}).bos);
}

TEST_F(CalibrationTest, RepeatedDocumentsAreLeftOut) {
    const std::string text = random_letters(100, 1);
    const SampledWindows all = sample({text, text, text}, {.samples = 9, .length = 50});
    EXPECT_EQ(all.repeated_documents, 2);
    EXPECT_EQ(all.windows.size(), 2u);
}

TEST_F(CalibrationTest, TooLittleTextAndSizesOutOfRangeAreRefused) {
    EXPECT_THAT(
        [&] {
            sample({"abc", "de"}, {.samples = 1, .length = 6});
        },
        ThrowsMessage<FormatError>(HasSubstr("has 5 tokens, too few for one window of 6")));
    EXPECT_THROW(sample({}, {.samples = 1, .length = 6}), FormatError);
    EXPECT_THROW(sample({"abc"}, {.samples = 0, .length = 6}), InvalidArgument);
    EXPECT_THROW(sample({"abc"}, {.samples = 1, .length = 2}), InvalidArgument);
}

// What is found in windows of random tokens, changed by each test.
class FaultsTest : public ::testing::Test {
  protected:
    FaultsTest() {
        for (int w = 0; w < 8; ++w) {
            sampled_.windows.emplace_back();
            for (int i = 0; i < 256; ++i)
                sampled_.windows.back().push_back(static_cast<std::int32_t>(rng_.below(5000)));
        }
        for (int i = 0; i < 4096; ++i) evaluation_.push_back(static_cast<std::int32_t>(rng_.below(5000)));
    }

    std::vector<std::string> kinds() {
        faults_ = look_for_faults(sampled_.windows, evaluation_);
        std::vector<std::string> kinds;
        for (const CalibrationWarning& w : calibration_warnings(sampled_, faults_, expected_)) {
            kinds.push_back(w.kind);
            text_ = w.text;
        }
        return kinds;
    }

    Rng rng_{5};
    SampledWindows sampled_;
    std::vector<std::int32_t> evaluation_;
    CalibrationExpectations expected_{
        .asked = {.samples = 8, .length = 256}, .least_tokens = 2048, .evaluation = "wiki"};
    CalibrationFaults faults_;
    std::string text_;  // of the last warning
};

TEST_F(FaultsTest, NoneInHealthyWindows) {
    EXPECT_THAT(kinds(), IsEmpty());
    EXPECT_EQ(faults_.repeated_share, 0);
    EXPECT_EQ(faults_.overlap_share, 0);
}

TEST_F(FaultsTest, AWindowThatRepeatsItselfIsRepetitive) {
    for (std::size_t i = 40; i < 256; ++i) sampled_.windows[2][i] = sampled_.windows[2][i - 40];
    EXPECT_THAT(kinds(), ElementsAre("repetitive"));
    EXPECT_EQ(faults_.repetitive_windows, 1);
    EXPECT_NEAR(faults_.repeated_share, (249.0 - 40) / (8 * 249), 1e-12);
}

TEST_F(FaultsTest, AWindowOfOneTokenIsDegenerate) {
    for (std::size_t i = 0; i < 256; i += 2) sampled_.windows[7][i] = 9;
    EXPECT_THAT(kinds(), ElementsAre("degenerate"));
    EXPECT_THAT(text_, HasSubstr("in 1 of 8 windows one token"));
}

TEST_F(FaultsTest, AWindowThatCameBeforeIsANearDuplicate) {
    std::copy_n(sampled_.windows[1].begin(), 128, sampled_.windows[6].begin() + 100);
    EXPECT_THAT(kinds(), ElementsAre("duplicates"));
    EXPECT_EQ(faults_.duplicate_windows, 1);
}

TEST_F(FaultsTest, TextOfTheEvaluationIsFoundAtAnyPlace) {
    std::copy_n(evaluation_.begin() + 1003, 24, sampled_.windows[3].begin() + 77);  // 9 runs of 241
    EXPECT_THAT(kinds(), ElementsAre("overlap"));
    EXPECT_THAT(text_, HasSubstr("evaluation text (wiki)"));
    EXPECT_NEAR(faults_.overlap_share, 9.0 / (8 * 241), 1e-12);
    std::copy_n(evaluation_.begin(), 15, sampled_.windows[3].begin() + 77);  // a run is 16 tokens long
    EXPECT_THAT(kinds(), IsEmpty());
}

TEST_F(FaultsTest, FewWindowsAndTokensShortDocumentsAndMissingBosAreTold) {
    sampled_.windows.pop_back();
    sampled_.joined_windows = 4;
    sampled_.repeated_documents = 2;
    sampled_.documents_read = 30;
    expected_.unused_bos = "<s>";
    EXPECT_THAT(kinds(),
                ElementsAre("too_few_samples", "too_few_tokens", "short_documents", "duplicates", "no_bos"));
    EXPECT_THAT(text_, HasSubstr("<s>"));
    sampled_.bos = true;
    sampled_.joined_windows = 3;
    EXPECT_THAT(kinds(), ElementsAre("too_few_samples", "too_few_tokens", "duplicates"));
}

TEST_F(FaultsTest, OfManyTokensAShareIsLookedAt) {
    for (int w = 0; w < 22; ++w) {
        sampled_.windows.emplace_back();
        for (int i = 0; i < 100000; ++i)
            sampled_.windows.back().push_back(static_cast<std::int32_t>(rng_.below(5000)));
    }
    sampled_.windows.back() = sampled_.windows[10];
    std::copy_n(evaluation_.begin(), 4096, sampled_.windows[11].begin() + 5);
    faults_ = look_for_faults(sampled_.windows, evaluation_);
    EXPECT_EQ(faults_.duplicate_windows, 1);
    EXPECT_EQ(faults_.overlapping_windows, 1);
    EXPECT_NEAR(faults_.overlap_share, 4081.0 / 2.2e6, 2e-4);
}

TEST(BuiltinCalibration, TextsAreDocumentsInLines) {
    std::vector<std::string> names;
    for (const BuiltinCalibrationText& text : builtin_calibration_texts()) {
        names.emplace_back(text.name);
        const DocumentSet set({{std::string(text.name), text.lines, true}}, "text", 1 << 20);
        EXPECT_GE(set.size(), 7u);
        for (std::size_t i = 0; i < set.size(); ++i) EXPECT_GE(set.read(i).size(), 2500u);
    }
    EXPECT_THAT(names, ElementsAre("c4", "code", "wiki"));
}

TEST(BuiltinCalibration, TextsTogetherRaiseNoWarningAtTheDefaults) {
    const auto folder = std::filesystem::path(ASSAY_TEST_DATA) / "tokenizers" / "smollm2";
    const Tokenizer tokenizer = Tokenizer::from_json(read_file(folder / "tokenizer.json"), "smollm2");
    std::vector<TextSource> sources;
    for (const BuiltinCalibrationText& text : builtin_calibration_texts())
        sources.push_back({std::string(text.name), text.lines, true});
    const SamplingOptions options;
    const SampledWindows sampled = sample_windows(
        DocumentSet(sources, "text", sampling_piece_bytes(options.length)), tokenizer, options);
    const auto evaluation = tokenizer.encode(builtin_evaluation_text(), false);
    const auto warnings =
        calibration_warnings(sampled, look_for_faults(sampled.windows, evaluation), {.asked = options});
    for (const CalibrationWarning& warning : warnings) ADD_FAILURE() << warning.text;
}

}  // namespace
}  // namespace assay
