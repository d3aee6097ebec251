// Shares of parts against scores of changes that touch nothing but the part.
#include "measure/attribution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "measure/treatment_scores.h"
#include "model/test_models.h"

namespace assay {
namespace {

// Adds a seeded noise to the elements that a mask chooses.
class MaskedNoise final : public WeightOverlay {
  public:
    using Mask = std::function<bool(std::int64_t row, std::int64_t column)>;
    explicit MaskedNoise(Mask mask) : mask_(std::move(mask)) {}
    bool treats(const LinearItem&) const override { return true; }
    void apply(const LinearItem&, MatrixView<float> w) const override {
        Rng rng(9);
        for (std::int64_t r = 0; r < w.rows(); ++r) {
            for (std::int64_t c = 0; c < w.cols(); ++c) {
                const auto noise = static_cast<float>(0.02 * (rng.uniform() - 0.5));
                if (mask_(r, c)) w(r, c) += noise;
            }
        }
    }

  private:
    Mask mask_;
};

double sum_of(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
}

class AttributionTest : public ::testing::Test {
  protected:
    ScoreResult score(const MaskedNoise::Mask& mask, int threads = 2) {
        const MaskedNoise change(mask);
        TestEngine engine(threads);
        engine.limits = limits_;
        ScoreOptions options{.items = items_, .treatments = {&change}, .seed = 1, .attributed = items_};
        return score_treatments(model_, engine, windows_, options);
    }

    const Attribution& of(const ScoreResult& result, const std::string& name) const {
        return *std::find_if(result.attributions.begin(), result.attributions.end(),
                             [&](const auto& a) { return model_.items()[a.item].name.ends_with(name); });
    }

    const std::vector<double>& block_sums(const ScoreResult& result, std::size_t item) const {
        return std::find_if(result.scores.begin(), result.scores.end(),
                            [&](const auto& s) { return s.item == item; })
            ->sums;
    }

    Model model_ = random_model(small_llama_config());
    std::vector<std::size_t> items_ = [this] {
        std::vector<std::size_t> all(model_.items().size() - 2);  // but embedding and head
        std::iota(all.begin(), all.end(), std::size_t{0});
        return all;
    }();
    std::vector<EvaluationWindow> windows_ = with_context(random_windows({80, 13, 75}, 97), 5);
    MemoryLimits limits_;
};

const MaskedNoise::Mask kEverywhere = [](std::int64_t, std::int64_t) { return true; };

TEST_F(AttributionTest, SharesSumToOne) {
    const ScoreResult result = score(kEverywhere);
    ASSERT_EQ(result.attributions.size(), items_.size());
    for (const Attribution& a : result.attributions) {
        EXPECT_EQ(std::ssize(a.rows), model_.items()[a.item].out);
        EXPECT_EQ(std::ssize(a.columns), model_.items()[a.item].in);
        EXPECT_NEAR(sum_of(a.rows), 1, 1e-9);
        EXPECT_NEAR(sum_of(a.columns), 1, 1e-9);
        EXPECT_NEAR(sum_of(a.head_shares), a.heads.empty() ? 0 : 1, 1e-9);
    }
}

// share of a part = Σ_b S_{part,b} S_b / Σ_b S_b², S_part from scoring the part's change alone.
TEST_F(AttributionTest, SharesAreThoseOfThePartsOwnScores) {
    const ScoreResult all = score(kEverywhere);
    const ScoreResult row = score([](std::int64_t r, std::int64_t) { return r == 7; });
    const ScoreResult column = score([](std::int64_t, std::int64_t c) { return c == 11; });
    for (const Attribution& a : all.attributions) {
        const auto &s = block_sums(all, a.item), &of_row = block_sums(row, a.item),
                   &of_column = block_sums(column, a.item);
        const double squares = std::inner_product(s.begin(), s.end(), s.begin(), 0.0);
        EXPECT_NEAR(a.rows[7], std::inner_product(s.begin(), s.end(), of_row.begin(), 0.0) / squares, 1e-5);
        EXPECT_NEAR(a.columns[11], std::inner_product(s.begin(), s.end(), of_column.begin(), 0.0) / squares,
                    1e-5);
    }
}

TEST_F(AttributionTest, AChangeOfOneRowIsThatRows) {
    const ScoreResult result = score([](std::int64_t r, std::int64_t) { return r == 3; });
    for (const Attribution& a : result.attributions) {
        EXPECT_EQ(a.rows[3], 1);
        EXPECT_EQ(a.rows[4], 0);
    }
}

TEST_F(AttributionTest, AChangeOfOneColumnIsThatColumns) {
    const ScoreResult result = score([](std::int64_t, std::int64_t c) { return c == 40; });
    for (const Attribution& a : result.attributions) {
        EXPECT_EQ(a.columns[40], 1);
        EXPECT_EQ(a.columns[39], 0);
    }
}

TEST_F(AttributionTest, AChangeOfOneHeadIsThatHeads) {
    const ScoreResult rows = score([](std::int64_t r, std::int64_t) { return r >= 12 && r < 24; });
    for (const char* name :
         {"layers.1.self_attn.q_proj", "layers.0.self_attn.k_proj", "1.self_attn.v_proj"}) {
        const Attribution& a = of(rows, name);
        for (std::size_t h = 0; h < a.heads.size(); ++h)
            EXPECT_NEAR(a.head_shares[h], a.heads[h].head == 1 ? 1 : 0, 1e-12) << name;
    }
    const ScoreResult columns = score([](std::int64_t, std::int64_t c) { return c >= 36; });
    const Attribution& o = of(columns, "layers.0.self_attn.o_proj");
    ASSERT_EQ(o.heads.size(), 4u);
    EXPECT_NEAR(o.head_shares[3], 1, 1e-12);
}

TEST_F(AttributionTest, ThreadsAndGroupsChangeNoBit) {
    const ScoreResult one = score(kEverywhere, 1);
    const auto expect_same = [&](const ScoreResult& other) {
        ASSERT_EQ(one.attributions.size(), other.attributions.size());
        for (std::size_t i = 0; i < one.attributions.size(); ++i) {
            EXPECT_EQ(one.attributions[i].rows, other.attributions[i].rows);
            EXPECT_EQ(one.attributions[i].columns, other.attributions[i].columns);
            EXPECT_EQ(one.attributions[i].head_shares, other.attributions[i].head_shares);
        }
    };
    expect_same(score(kEverywhere, 3));
    limits_.state_bytes = 1;  // window by window
    expect_same(score(kEverywhere, 2));
}

TEST_F(AttributionTest, NoDamageHasNoShares) {
    const ScoreResult result = score([](std::int64_t, std::int64_t) { return false; });
    for (const Attribution& a : result.attributions) EXPECT_EQ(sum_of(a.rows), 0);
}

TEST_F(AttributionTest, EmbeddingAndHeadHaveNone) {
    items_ = {model_.items().size() - 3, model_.items().size() - 1};
    const ScoreResult result = score(kEverywhere);
    ASSERT_EQ(result.attributions.size(), 1u);
    EXPECT_EQ(result.attributions[0].item, items_[0]);
}

const LinearItem& item_named(const Model& model, const std::string& name) {
    return *std::find_if(model.items().begin(), model.items().end(),
                         [&](const LinearItem& item) { return item.name.ends_with(name); });
}

TEST(HeadParts, SharedKeysAndValuesAreOneHeadEach) {
    const Model model = random_model(small_llama_config());
    EXPECT_EQ(head_parts(model, item_named(model, "0.self_attn.q_proj")).size(), 4u);
    const auto keys = head_parts(model, item_named(model, "0.self_attn.k_proj"));
    ASSERT_EQ(keys.size(), 2u);
    EXPECT_EQ(keys[1].part, "k");
    EXPECT_EQ(keys[1].first, 12);
    EXPECT_EQ(keys[1].count, 12);
    EXPECT_TRUE(head_parts(model, item_named(model, "0.mlp.down_proj")).empty());
    EXPECT_TRUE(head_parts(model, model.head_item()).empty());
}

TEST(HeadParts, AreFoundPastTheNormsOfQueriesAndKeys) {
    ModelConfig config = small_llama_config();
    config.architecture = "Qwen3ForCausalLM";
    config.qk_norm = QkNorm::kHead;
    const Model model = random_model(config);
    EXPECT_EQ(head_parts(model, item_named(model, "1.self_attn.q_proj")).size(), 4u);
    EXPECT_EQ(head_parts(model, item_named(model, "1.self_attn.v_proj")).size(), 2u);
}

TEST(HeadParts, OfOneFusedLinearFollowEachOther) {
    ModelConfig config = small_llama_config();
    config.architecture = "Phi3ForCausalLM";
    const Model model = random_model(config);
    const auto parts = head_parts(model, item_named(model, "0.self_attn.qkv_proj"));
    ASSERT_EQ(parts.size(), 8u);
    EXPECT_EQ(parts[4].part, "k");
    EXPECT_EQ(parts[4].first, 48);
    EXPECT_EQ(parts[7].part, "v");
    EXPECT_EQ(parts[7].first + parts[7].count, 96);
}

}  // namespace
}  // namespace assay
