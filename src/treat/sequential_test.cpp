// Sequential treatment against the same done step by step with whole passes; limits, resuming.
#include "treat/sequential.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "base/error.h"
#include "container/temporary_folder.h"
#include "model/model_files.h"
#include "model/test_models.h"
#include "model/tiny_models.h"
#include "treat/encoded_weights.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// All treated weights of an overlay, item after item.
std::vector<float> weights_of(const Model& model, const WeightOverlay& overlay) {
    std::vector<float> all;
    for (std::size_t i : block_items(model)) {
        const Matrix<float> w = treated_weight(model, model.items()[i], &overlay);
        all.insert(all.end(), w.values().begin(), w.values().end());
    }
    return all;
}

std::string level_of(const LinearItem& item) {  // of true-sequential, in the order of the computation
    for (const auto& [names, level] :
         std::vector<std::pair<std::string, std::string>>{{"q_proj k_proj v_proj qkv_proj", "1"},
                                                          {"o_proj", "2"},
                                                          {"gate_proj up_proj gate_up_proj w1 w3", "3"}}) {
        if (names.find(item.projection) != std::string::npos) return level;
    }
    return "4";
}

class SequentialTest : public ::testing::TestWithParam<const char*> {
  protected:
    std::unique_ptr<EncodedFolder> treat(const Engine& engine, const std::string& treatment,
                                         fs::path folder = {}) {
        return treat_sequentially(model_, engine, windows_,
                                  {parse_treatment(treatment), block_items(model_), std::move(folder)});
    }

    // Step by step: items of one step are treated on the statistics of a whole pass with the steps before.
    EncodedWeights stepwise(const Engine& engine, const std::string& treatment, bool one_by_one) {
        std::map<std::string, std::vector<std::size_t>> steps;
        for (std::size_t i : block_items(model_)) {
            const LinearItem& item = model_.items()[i];
            steps[std::to_string(100 + item.block) + (one_by_one ? level_of(item) : "")].push_back(i);
        }
        EncodedWeights done;
        FisherSource fisher(model_, engine, windows_, block_items(model_));
        for (const auto& [name, items] : steps) {
            HessianTap tap(model_, engine.backend,
                           inputs_for(parse_treatment(treatment), shared_inputs(model_, items), fisher));
            run_pass(model_, engine, make_chunks(windows_, 4096), {.overlay = &done, .tap = &tap});
            for (const Hessian& hessian : tap.take()) {
                for (CalibratedWeight& weight :
                     treat_linears(model_, engine, parse_treatment(treatment), hessian, fisher))
                    done.add(std::move(weight));
            }
        }
        return done;
    }

    Model model_ = load_model(open_model_files(fs::path(ASSAY_TEST_DATA) / "tiny" / GetParam()));
    std::vector<EvaluationWindow> windows_ =
        with_context(random_windows({60, 80, 70}, model_.config().vocabulary), 0);
};

INSTANTIATE_TEST_SUITE_P(Tiny, SequentialTest,
                         ::testing::Values("llama-bias-sharded", "phi3-partial", "mixtral", "qwen2-moe",
                                           "gemma2"),
                         [](const auto& info) {
                             std::string name = info.param;
                             std::erase(name, '-');
                             return name;
                         });

TEST_P(SequentialTest, EveryBlockIsTreatedOnWhatTheTreatedBlocksBeforeItMade) {
    TestEngine test;
    const Engine engine = test;
    for (const char* treatment :
         {"int4-g16:gptq", "int3-sym-g16:gptq(act-order,clip)", "int4-g16:yaqa(act-order,clip)",
          "int4-g16:gptq(act-order,gradient-weights)", "int4-g16:gptq(search-damp)"}) {
        const auto treated = treat(engine, treatment);
        const EncodedWeights expected = stepwise(engine, treatment, false);
        EXPECT_EQ(weights_of(model_, *treated), weights_of(model_, expected)) << treatment;
        EXPECT_EQ(treated->reports().size(), block_items(model_).size());
    }
}

TEST_P(SequentialTest, TrueSequentialTreatsEveryInputsLinearsOnTheTreatedOnesBeforeThem) {
    TestEngine test;
    const Engine engine = test;
    const char* treatment = "int3-g16:gptq(true-sequential)";
    const auto treated = treat(engine, treatment);
    const EncodedWeights expected = stepwise(engine, treatment, true);
    EXPECT_EQ(weights_of(model_, *treated), weights_of(model_, expected));
    EXPECT_NE(weights_of(model_, *treated), weights_of(model_, *treat(engine, "int3-g16:gptq")));
}

TEST_P(SequentialTest, MemoryAndThreadsChangeNoBit) {
    TestEngine one(1), three(3);
    three.limits = {.state_bytes = 1, .head_bytes = 1, .chunk_rows = 60};
    for (const char* treatment :
         {"int4-g16:gptq", "int3-g16:gptq(act-order,static-groups=no,true-sequential)",
          "int4-g16:yaqa(act-order,true-sequential)", "int4-g16:gptq(gradient-weights,search-damp)"}) {
        const auto expected = treat(one, treatment), other = treat(three, treatment);
        EXPECT_EQ(weights_of(model_, *expected), weights_of(model_, *other));
        EXPECT_EQ(expected->reports(), other->reports());
    }
}

// Asks to stop when block `last` has been treated; keeps the notes.
class Stopper final : public Progress {
  public:
    Stopper(CancelToken& cancel, std::uint64_t units) : cancel_(cancel), left_(units) {}
    void begin(std::string_view, std::uint64_t) override {}
    void advance(std::uint64_t units) override {
        if (units >= left_) cancel_.request();
        left_ -= std::min(left_, units);
    }
    void end() override {}
    void note(std::string_view line) override { notes += std::string(line) + "\n"; }
    std::string notes;

  private:
    CancelToken& cancel_;
    std::uint64_t left_;
};

class ResumeTest : public TemporaryFolder {
  protected:
    std::unique_ptr<EncodedFolder> treat(const Engine& engine, const char* treatment = "int4-g16:gptq") {
        return treat_sequentially(model_, engine, windows_,
                                  {parse_treatment(treatment), block_items(model_), folder_ / "weights"});
    }
    fs::path block_file(int block) const {
        return folder_ / "weights" / ("block-000" + std::to_string(block) + ".safetensors");
    }

    Model model_ = load_model(open_model_files(fs::path(ASSAY_TEST_DATA) / "tiny" / "llama-bias-sharded"));
    std::vector<EvaluationWindow> windows_ =
        with_context(random_windows({60, 80}, model_.config().vocabulary), 0);
    TestEngine test_;
};

TEST_F(ResumeTest, AnInterruptedRunGoesOnAtTheLastFinishedBlockWithTheSameBits) {
    const auto whole = treat_sequentially(model_, test_, windows_,
                                          {parse_treatment("int4-g16:gptq"), block_items(model_), {}});
    CancelToken cancel;
    Stopper stopper(cancel, 2 * 140);  // while the first block moves the windows on
    const Engine stopping{*test_.backend, test_.pool, stopper, cancel, test_.limits};
    EXPECT_THROW(treat(stopping), Interrupted);
    EXPECT_TRUE(fs::exists(block_file(0)));
    EXPECT_FALSE(fs::exists(block_file(1)));
    CancelToken none;
    Stopper notes(none, 1 << 30);
    const Engine engine{*test_.backend, test_.pool, notes, none, test_.limits};
    const auto resumed = treat(engine);
    EXPECT_THAT(notes.notes, HasSubstr("block 0: treated in an earlier run"));
    EXPECT_THAT(notes.notes, ::testing::Not(HasSubstr("block 1")));
    EXPECT_EQ(weights_of(model_, *resumed), weights_of(model_, *whole));
    EXPECT_EQ(resumed->reports(), whole->reports());
}

TEST_F(ResumeTest, FilesThatAreDamagedOrOfAnotherTreatmentAreMadeAnew) {
    const auto first = weights_of(model_, *treat(test_));
    fs::resize_file(block_file(0), fs::file_size(block_file(0)) - 1);
    EXPECT_EQ(weights_of(model_, *treat(test_)), first);
    const auto other = weights_of(model_, *treat(test_, "int3-g16:gptq"));
    EXPECT_NE(other, first);
    EXPECT_EQ(
        weights_of(model_, *treat_sequentially(model_, test_, windows_,
                                               {parse_treatment("int3-g16:gptq"), block_items(model_), {}})),
        other);
}

TEST_F(ResumeTest, RefusesWhatHasNoMeaning) {
    const std::vector<EvaluationWindow> none;
    EXPECT_THROW(treat_sequentially(model_, test_, none, {parse_treatment("int4-g16:gptq"), {0}, {}}),
                 InvalidArgument);
    EXPECT_THROW(treat_sequentially(model_, test_, windows_, {parse_treatment("int4-g16:gptq"), {}, {}}),
                 InvalidArgument);
    EXPECT_THROW(treat(test_, "int4-g16"), InvalidArgument);
    EXPECT_THROW(EncodedFolder({}).weight("model.layers.0.mlp.down_proj"), InvalidArgument);
}

}  // namespace
}  // namespace assay
