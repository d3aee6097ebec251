// Folding leaves every family's function as it is: bit for bit with powers of two, within rounding with any
// scales; and what cannot fold is named.
#include "model/folding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "model/model_files.h"
#include "model/test_models.h"
#include "model/tiny_models.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::vector<Fold> all_folds(const Model& model) {
    std::vector<Fold> folds;
    for (std::int64_t b = 0; b < model.config().layers; ++b) {
        for (Fold& fold : find_folds(model, b)) folds.push_back(std::move(fold));
    }
    return folds;
}

// Every fold of the model scaled, one scale a row of its source.
template <class Draw>
std::vector<FoldedScales> draw_scales(const Model& model, const Draw& draw) {
    std::vector<FoldedScales> folded;
    for (Fold& fold : all_folds(model)) {
        if (!fold.obstacle.empty()) continue;
        std::map<std::int64_t, float> of_row;
        for (std::int64_t row : fold.rows) {
            if (!of_row.contains(row)) of_row[row] = draw();
        }
        std::vector<float> scales;
        for (std::int64_t row : fold.rows) scales.push_back(of_row[row]);
        folded.push_back({std::move(fold), std::move(scales)});
    }
    return folded;
}

Model fold(const Model& model, std::span<const FoldedScales> folded) {
    return {model.path(), model.config(), make_blocks(model.config()),
            std::make_shared<FoldedWeights>(model, folded)};
}

double largest(const Matrix<float>& a, const Matrix<float>* b = nullptr) {
    double most = 0;
    for (std::size_t i = 0; i < a.values().size(); ++i) {
        const double other = b == nullptr ? 0 : static_cast<double>(b->values()[i]);
        most = std::max(most, std::abs(static_cast<double>(a.values()[i]) - other));
    }
    return most;
}

class FoldingTest : public ::testing::TestWithParam<const char*> {
  protected:
    Model model_ = tiny_model(GetParam());
    TokenWindow window_ = random_windows({45}, model_.config().vocabulary)[0];
    TestEngine engine_;
};

INSTANTIATE_TEST_SUITE_P(Tiny, FoldingTest,
                         ::testing::Values("llama-tied", "llama-rope-llama3-f32", "llama-rope-linear-f16",
                                           "llama-bias-sharded", "mistral-window32", "qwen2", "qwen3",
                                           "phi3-partial", "gemma2", "gemma3-text", "mixtral", "qwen2-moe",
                                           "qwen3-moe", "olmo2"),
                         [](const auto& info) {
                             std::string name = info.param;
                             for (char& c : name) c = c == '-' ? '_' : c;
                             return name;
                         });

TEST_P(FoldingTest, EveryLinearOfABlockReadsExactlyOneFold) {
    const auto folds = all_folds(model_);
    for (std::size_t i = 0; i < model_.items().size(); ++i) {
        if (model_.items()[i].block < 0) continue;
        EXPECT_EQ(std::count_if(folds.begin(), folds.end(),
                                [&](const Fold& fold) {
                                    return std::count(fold.readers.begin(), fold.readers.end(), i) == 1;
                                }),
                  1)
            << model_.items()[i].name;
        const Fold& fold = fold_of(folds, i);
        EXPECT_EQ(fold.obstacle.empty(), std::ssize(fold.rows) == model_.items()[i].in);
        EXPECT_EQ(fold.obstacle.empty(), !fold.source.empty());
    }
}

TEST_P(FoldingTest, ScalesThatArePowersOfTwoChangeNoBit) {
    Rng rng(7);
    const auto folded =
        draw_scales(model_, [&] { return std::ldexp(1.0f, static_cast<int>(rng.below(7)) - 3); });
    ASSERT_FALSE(folded.empty());
    const Matrix<float> expected = window_logits(model_, engine_, window_),
                        actual = window_logits(fold(model_, folded), engine_, window_);
    if (model_.config().norm_offset == 0) {
        EXPECT_EQ(largest(expected, &actual), 0);
    } else {
        EXPECT_LT(largest(expected, &actual), 2e-5 * largest(expected));
    }
}

TEST_P(FoldingTest, AnyScalesChangeTheLogitsByRoundingOnly) {
    Rng rng(8);
    const auto folded = draw_scales(model_, [&] { return static_cast<float>(0.25 + 4 * rng.uniform()); });
    const Model other = fold(model_, folded);
    const Matrix<float> expected = window_logits(model_, engine_, window_);
    const Matrix<float> actual = window_logits(other, engine_, window_);
    EXPECT_LT(largest(expected, &actual), 2e-5 * largest(expected));
    EXPECT_GT(largest(expected, &actual), 0);
    for (const FoldedScales& one : folded) {  // and every weight concerned did change
        for (std::size_t i : one.fold.readers) {
            const std::string& name = model_.items()[i].name;
            const Matrix<float> before = read_weight(model_.weights(), name),
                                after = read_weight(other.weights(), name);
            EXPECT_GT(largest(before, &after), 0) << name;
        }
    }
}

TEST_P(FoldingTest, PartsOfAWeightAreReadAsTheWhole) {
    Rng rng(9);
    const Model other =
        fold(model_, draw_scales(model_, [&] { return static_cast<float>(0.5 + rng.uniform()); }));
    for (const LinearItem& item : model_.items()) {
        const Matrix<float> whole = read_weight(other.weights(), item.name),
                            rows = read_weight_rows(other.weights(), item.name, item.out / 2, 1);
        EXPECT_TRUE(std::equal(rows.values().begin(), rows.values().end(), whole.row(item.out / 2).begin()))
            << item.name;
    }
}

// "READERS <- SOURCE" of a block's folds, without the prefix; of experts the first only.
std::vector<std::string> described(const Model& model, std::int64_t block) {
    const std::string prefix = Model::block_weight_name(block, "");
    std::vector<std::string> lines;
    for (const Fold& fold : find_folds(model, block)) {
        std::string line;
        for (std::size_t i : fold.readers) {
            const std::string name = model.items()[i].name.substr(prefix.size());
            if (name.find("experts.") == std::string::npos || name.find("experts.0.") != std::string::npos)
                line += name + " ";
        }
        if (line.empty()) continue;
        lines.push_back(line + "<- " +
                        (fold.obstacle.empty() ? fold.source.substr(prefix.size()) : "nothing"));
    }
    return lines;
}

TEST(Folding, FindsTheSourceOfEveryInput) {
    using Lines = std::vector<std::string>;
    const std::string attention = "self_attn.q_proj self_attn.k_proj self_attn.v_proj <- ",
                      mlp = "mlp.gate_proj mlp.up_proj <- ", o = "self_attn.o_proj <- self_attn.v_proj",
                      down = "mlp.down_proj <- mlp.up_proj";
    const Lines usual{attention + "input_layernorm", o, mlp + "post_attention_layernorm", down};
    EXPECT_EQ(described(tiny_model("llama-tied"), 0), usual);
    EXPECT_EQ(described(tiny_model("qwen3"), 1), usual);
    EXPECT_EQ(described(tiny_model("gemma2"), 0),
              (Lines{attention + "input_layernorm", o, mlp + "pre_feedforward_layernorm", down}));
    EXPECT_EQ(described(tiny_model("phi3-partial"), 0),
              (Lines{"self_attn.qkv_proj <- input_layernorm", "self_attn.o_proj <- self_attn.qkv_proj",
                     "mlp.gate_up_proj <- post_attention_layernorm", "mlp.down_proj <- mlp.gate_up_proj"}));
    EXPECT_EQ(described(tiny_model("mixtral"), 0),
              (Lines{attention + "input_layernorm", o,
                     "block_sparse_moe.gate block_sparse_moe.experts.0.w1 block_sparse_moe.experts.0.w3 <- "
                     "post_attention_layernorm",
                     "block_sparse_moe.experts.0.w2 <- block_sparse_moe.experts.0.w3"}));
    EXPECT_THAT(
        described(tiny_model("qwen2-moe"), 0),
        ::testing::IsSupersetOf({std::string("mlp.gate mlp.experts.0.gate_proj mlp.experts.0.up_proj "
                                             "mlp.shared_expert.gate_proj mlp.shared_expert.up_proj "
                                             "mlp.shared_expert_gate <- post_attention_layernorm"),
                                 std::string("mlp.shared_expert.down_proj <- mlp.shared_expert.up_proj")}));
}

TEST(Folding, InputsThatAreTheResidualStreamAreNamedAsWhatCannotFold) {
    const Model model = tiny_model("olmo2");
    EXPECT_EQ(
        described(model, 0),
        (std::vector<std::string>{"self_attn.q_proj self_attn.k_proj self_attn.v_proj <- nothing",
                                  "self_attn.o_proj <- self_attn.v_proj",
                                  "mlp.gate_proj mlp.up_proj <- nothing", "mlp.down_proj <- mlp.up_proj"}));
    const Fold fold = find_folds(model, 0)[0];
    EXPECT_THAT(fold.obstacle, HasSubstr("residual stream"));
    const std::vector<FoldedScales> folded{{fold, std::vector<float>(96, 1.0f)}};
    EXPECT_THAT(([&] { FoldedWeights(model, folded); }),
                ThrowsMessage<InvalidArgument>(HasSubstr("self_attn.k_proj, model.layers.0.self_attn.v_proj "
                                                         "cannot be scaled: it is the residual stream")));
}

TEST(Folding, QueryHeadsOfOneKeyValueHeadShareTheRowsOfV) {
    const Model model = random_model(small_llama_config());  // 4 heads of 12, 2 key/value heads
    const auto folds = find_folds(model, 0);
    const auto o = std::find_if(folds.begin(), folds.end(), [&](const Fold& fold) {
        return model.items()[fold.readers[0]].projection == "o_proj";
    });
    ASSERT_EQ(o->rows.size(), 48u);
    for (std::size_t c = 0; c < 48; ++c)
        EXPECT_EQ(o->rows[c], static_cast<std::int64_t>(c / 24 * 12 + c % 12)) << c;
    EXPECT_EQ(std::set<std::int64_t>(o->rows.begin(), o->rows.end()).size(), 24u);
}

TEST(Folding, RefusesScalesThatCannotBe) {
    const Model model = random_model(small_llama_config());
    const auto folds = find_folds(model, 0);
    const auto error = [&](std::vector<FoldedScales> folded) -> std::string {
        try {
            FoldedWeights(model, folded);
        } catch (const InvalidArgument& e) {
            return e.what();
        }
        return "";
    };
    const std::vector<float> ones(48, 1.0f);
    EXPECT_EQ(error({{folds[0], ones}, {folds[1], ones}}), "");
    EXPECT_THAT(error({{folds[0], ones}, {folds[0], ones}}), HasSubstr("scaled twice"));
    EXPECT_THAT(error({{folds[0], std::vector<float>(47, 1.0f)}}), HasSubstr("for each channel"));
    for (const float bad :
         {0.0f, -1.0f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
        std::vector<float> scales = ones;
        scales[5] = bad;
        EXPECT_THAT(error({{folds[0], scales}}), HasSubstr("positive and finite")) << bad;
    }
    std::vector<float> untied = ones;
    untied[12] = 2;  // the second query head of the first key/value head
    EXPECT_THAT(error({{folds[1], untied}}), HasSubstr("self_attn.v_proj share one scale"));
    EXPECT_THROW(fold_of(folds, model.items().size() - 1), InvalidArgument);
}

}  // namespace
}  // namespace assay
