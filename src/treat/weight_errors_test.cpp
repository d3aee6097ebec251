// What a treatment does to the weights, against the formulas written out.
#include "treat/weight_errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/rng.h"
#include "model/test_models.h"
#include "treat/treatment_overlay.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

class WeightErrorsTest : public ::testing::Test {
  protected:
    WeightsResult measure(const std::string& treatment, const std::vector<std::size_t>& items,
                          const WeightLook& look = {}) {
        return measure_weight_errors(model_, items, parse_treatment(treatment), engine_, look);
    }

    Matrix<float>& query() { return weights_->matrices["model.layers.0.self_attn.q_proj.weight"]; }

    static inline const WeightLook kAll{.group_sweep = true, .clip_sweep = true, .histograms = true};

    std::string error(const std::string& treatment, std::size_t item) {
        try {
            measure(treatment, {item});
        } catch (const NumericError& e) {
            return e.what();
        }
        return "no error";
    }

    ModelConfig config_ = small_llama_config();
    std::shared_ptr<MemoryWeights> weights_ = random_weights(config_, 3);
    Model model_{"random", config_, make_blocks(config_), weights_};
    TestEngine engine_;
};

TEST_F(WeightErrorsTest, EqualTheFormulasForEveryItem) {
    const Treatment treatment = parse_treatment("int4-g16");
    std::vector<std::size_t> items(model_.items().size());
    for (std::size_t i = 0; i < items.size(); ++i) items[i] = i;
    const WeightsResult result = measure("int4-g16", items);
    ASSERT_EQ(result.linears.size(), items.size());
    for (std::size_t i : items) {
        const WeightsLinear& linear = result.linears[i];
        const Matrix<float> w = read_weight(model_.weights(), model_.items()[i].name);
        Matrix<float> treated = w;
        apply_treatment(treatment, model_.items()[i], treated.view(), engine_.pool);
        double error2 = 0, weight2 = 0, sum = 0, abs_error = 0, max_error = 0, low = INFINITY,
               high = -INFINITY;
        for (std::size_t e = 0; e < w.values().size(); ++e) {
            const double x = w.values()[e], error = x - treated.values()[e];
            error2 += error * error;
            weight2 += x * x;
            sum += x;
            abs_error += std::abs(error);
            max_error = std::max(max_error, std::abs(error));
            low = std::min(low, x);
            high = std::max(high, x);
        }
        const auto n = static_cast<double>(w.values().size());
        EXPECT_EQ(linear.name, model_.items()[i].name);
        EXPECT_EQ(linear.shape, (std::vector<std::int64_t>{w.rows(), w.cols()}));
        EXPECT_EQ(linear.treatment, "int4-g16:rtn");
        EXPECT_NEAR(linear.frobenius_error, std::sqrt(error2), 1e-6 * std::sqrt(error2));
        EXPECT_NEAR(linear.relative_error.value(), std::sqrt(error2 / weight2), 1e-6);
        EXPECT_NEAR(linear.sqnr_db.value(), 10 * std::log10(weight2 / error2), 1e-5);
        EXPECT_NEAR(linear.max_abs_error, max_error, 1e-7);
        EXPECT_NEAR(linear.mean_abs_error, abs_error / n, 1e-7);
        EXPECT_NEAR(linear.mean, sum / n, 1e-12);
        EXPECT_NEAR(linear.std, std::sqrt(weight2 / n - sum / n * sum / n), 1e-9);
        EXPECT_EQ(linear.min, low);
        EXPECT_EQ(linear.max, high);
        EXPECT_EQ(linear.max_abs, std::max(-low, high));
    }
}

TEST_F(WeightErrorsTest, EffectiveBitsCountScalesAndZeros) {
    const std::vector<std::size_t> query{0};  // [48, 48]
    EXPECT_DOUBLE_EQ(measure("int4-g16", query).linears[0].effective_bits, 4 + (16 + 4) / 16.0);
    EXPECT_DOUBLE_EQ(measure("int4-sym-g16", query).linears[0].effective_bits, 4 + 16 / 16.0);
    EXPECT_DOUBLE_EQ(measure("int8-channel(scale=f32)", query).linears[0].effective_bits,
                     8 + (32 + 8) / 48.0);
    EXPECT_DOUBLE_EQ(measure("int4-g32", query).linears[0].effective_bits,
                     4 + 2 * (16 + 4) / 48.0);  // ragged: 32 and 16
    EXPECT_DOUBLE_EQ(measure("fp8-e4m3", query).linears[0].effective_bits, 8 + 16 / 48.0);
    EXPECT_DOUBLE_EQ(measure("mxfp4", query).linears[0].effective_bits, 4 + 2 * 8 / 48.0);
    EXPECT_DOUBLE_EQ(measure("nvfp4", query).linears[0].effective_bits, 4 + 8 / 16.0 + 32 / (48 * 48.0));
}

TEST_F(WeightErrorsTest, EveryFamilyIsMeasured) {
    double previous = 1e9;
    for (const char* text : {"int8-channel", "fp8-e4m3", "mxfp8-e4m3", "nvfp4", "mxfp4"}) {
        const WeightsLinear linear = measure(text, {6}).linears[0];
        EXPECT_EQ(linear.treatment, std::string(text) + ":rtn");
        EXPECT_LT(linear.sqnr_db.value(), previous) << text;
        previous = linear.sqnr_db.value();
    }
}

TEST_F(WeightErrorsTest, OneOutlierIsCountedAndItsRangeIsWasted) {
    Matrix<float>& w = weights_->matrices["model.layers.0.self_attn.q_proj.weight"];
    for (std::size_t i = 0; i < w.values().size(); ++i) w.values()[i] = i % 2 == 0 ? 1.0f : -1.0f;
    w.view()(5, 5) = 99;
    const WeightsLinear linear = measure("int4-g16", {0}).linears[0];
    for (double fraction :
         {linear.outlier_fraction_3s, linear.outlier_fraction_4s, linear.outlier_fraction_6s}) {
        EXPECT_DOUBLE_EQ(fraction, 1.0 / (48 * 48));
    }
    EXPECT_DOUBLE_EQ(linear.range_ratio.value(), 50);
    EXPECT_DOUBLE_EQ(linear.range_ratio_4s.value(), 50);
    EXPECT_DOUBLE_EQ(linear.quantization_waste.value(), 1 - 1 / 50.0);
}

TEST_F(WeightErrorsTest, ZeroWeightsHaveNoRelativeNumbers) {
    Matrix<float>& w = weights_->matrices["model.layers.0.self_attn.q_proj.weight"];
    std::fill(w.values().begin(), w.values().end(), 0.0f);
    const WeightsLinear linear = measure("int4-g16", {0}).linears[0];
    EXPECT_EQ(linear.frobenius_error, 0);
    EXPECT_FALSE(linear.sqnr_db);
    EXPECT_FALSE(linear.quantization_waste);
    EXPECT_FALSE(linear.relative_error);
    EXPECT_FALSE(linear.range_ratio);
    EXPECT_FALSE(linear.outliers->kurtosis);
    EXPECT_EQ(linear.outliers->range, 0);
    const WeightsLinear swept = measure("int4-g16", {0}, kAll).linears[0];
    EXPECT_TRUE(swept.histogram->counts.empty());
    EXPECT_FALSE((*swept.group_sweep)[0].relative_error);
    EXPECT_EQ((*swept.group_sweep)[0].rmse, 0);
}

TEST_F(WeightErrorsTest, ThreadsChangeNoBit) {
    TestEngine one(1), three(3);
    const std::vector<std::size_t> items{0, 6, 14};
    const Treatment treatment = parse_treatment("int3-g16");
    EXPECT_EQ(measure_weight_errors(model_, items, treatment, one, kAll),
              measure_weight_errors(model_, items, treatment, three, kAll));
}

TEST_F(WeightErrorsTest, TheTreatmentsErrorStandsInTheSweepsToo) {
    const WeightsLinear linear = measure("int4-g32", {0}, kAll).linears[0];
    const double n = 48 * 48;
    for (const GroupSweepRow& row : *linear.group_sweep) {
        const WeightsLinear alone = measure(row.format, {0}).linears[0];
        EXPECT_NEAR(row.relative_error.value(), alone.relative_error.value(), 1e-5) << row.format;
        EXPECT_NEAR(row.rmse, alone.frobenius_error / std::sqrt(n), 1e-5 * row.rmse) << row.format;
        EXPECT_EQ(row.effective_bits, alone.effective_bits) << row.format;
        EXPECT_EQ(row.bytes, std::ceil(row.effective_bits * n / 8));
    }
    const auto& clips = *linear.clip_sweep;
    ASSERT_EQ(clips.size(), 12);
    EXPECT_NEAR(clips[9].relative_error.value(), linear.relative_error.value(), 1e-6);  // nothing clipped
    EXPECT_EQ(std::count_if(clips.begin(), clips.end(), [](const ClipSweepRow& c) { return c.best; }), 1);
    EXPECT_TRUE(std::all_of(clips.begin() + 5, clips.end(), [&](const ClipSweepRow& c) {
        return c.best ? c.format == "int4-g32" : c.total_error >= clips.back().total_error;
    }));
}

TEST_F(WeightErrorsTest, ClipsTellTheOutputsErrorWhereTheInputIsKnown) {
    std::vector<std::size_t> items(model_.items().size());
    for (std::size_t i = 0; i < items.size(); ++i) items[i] = i;
    const auto windows = with_context(random_windows({40, 30}, config_.vocabulary), 0);
    const Activations inputs = measure_activations(model_, engine_, windows, items, ActivationSides::kInputs);
    WeightLook look = kAll;
    look.inputs = &inputs;
    const WeightsResult result = measure("int4-g32", items, look), without = measure("int4-g32", items, kAll);
    double squares = 0, linears = 0;
    for (std::size_t i : items) {
        const LinearItem& item = model_.items()[i];
        const auto& clips = *result.linears[i].clip_sweep;
        const bool has_input = item.role != LinearItem::Role::kEmbedding;
        ASSERT_EQ(clips.size(), has_input ? 14 : 12) << item.name;
        EXPECT_EQ(clips.back().clip, has_input ? "output" : "mse");
        EXPECT_EQ(std::count_if(clips.begin(), clips.end(),
                                [](const ClipSweepRow& c) { return c.best_output.value_or(false); }),
                  has_input ? 1 : 0);
        for (std::size_t row = 0; row < 11; ++row)
            EXPECT_EQ(clips[row].total_error, (*without.linears[i].clip_sweep)[row].total_error);
        if (!has_input) continue;
        EXPECT_LE(*clips[13].relative_output_error, *clips[12].relative_output_error);
        if (item.role != LinearItem::Role::kBlock) continue;
        squares += *clips[13].relative_output_error * *clips[13].relative_output_error;
        ++linears;
    }
    ASSERT_EQ(result.clip_sweep->size(), 14);
    EXPECT_NEAR(*result.clip_sweep->back().relative_output_error, std::sqrt(squares / linears), 1e-12);
    EXPECT_FALSE(without.clip_sweep->front().relative_output_error);
    TestEngine three(3);
    EXPECT_EQ(measure_weight_errors(model_, items, parse_treatment("int4-g32"), three, look), result);
}

TEST_F(WeightErrorsTest, TotalsAreOfTheBlocksLinears) {
    std::vector<std::size_t> items(model_.items().size());
    for (std::size_t i = 0; i < items.size(); ++i) items[i] = i;
    const WeightsResult result = measure("int4-g32", items, kAll);
    std::int64_t bytes = 0, weights = 0, matrices = 0, vectors = 0, clipped = 0;
    double squares = 0;
    for (std::size_t i : items) {
        const LinearItem& item = model_.items()[i];
        matrices += item.out * item.in;
        if (item.role != LinearItem::Role::kBlock) continue;
        const GroupSweepRow& row = (*result.linears[i].group_sweep)[1];
        bytes += row.bytes;
        weights += item.out * item.in;
        squares += row.rmse * row.rmse * static_cast<double>(item.out * item.in);
        clipped += result.linears[i].clip_sweep->back().clipped;
    }
    for (const std::string& name : model_.vector_names())
        vectors += element_count(model_.weights().shape(name));
    const GroupSweepTotal& total = (*result.group_sweep)[1];
    EXPECT_EQ(total.linears.format, "int4-g32");
    EXPECT_EQ(total.linears.bytes, bytes);
    EXPECT_EQ(total.model_bytes, bytes + 2 * (matrices - weights + vectors));
    EXPECT_NEAR(total.linears.rmse, std::sqrt(squares / static_cast<double>(weights)), 1e-12);
    EXPECT_NEAR(total.average_bits,
                (8 * static_cast<double>(bytes) + 16 * static_cast<double>(matrices - weights)) /
                    static_cast<double>(matrices),
                1e-9);
    EXPECT_GT(total.ragged_linears, 0);                      // 48 columns
    EXPECT_EQ((*result.group_sweep)[14].ragged_linears, 0);  // whole rows
    EXPECT_EQ(result.clip_sweep->back().clipped, clipped);
    EXPECT_TRUE(result.clip_sweep->back().best);
}

TEST_F(WeightErrorsTest, WithoutLinearsOfBlocksThereAreNoTotals) {
    const std::size_t embedding = model_.items().size() - 1;
    const WeightsResult result = measure("int4-g16", {embedding}, kAll);
    EXPECT_FALSE(result.group_sweep || result.clip_sweep);
    EXPECT_TRUE(result.linears[0].group_sweep && result.linears[0].histogram && result.linears[0].error_map);
}

TEST_F(WeightErrorsTest, OneHugeWeightIsWarnedOfAndFound) {
    std::fill(query().values().begin(), query().values().end(), 0.0f);
    for (std::size_t i = 0; i < query().values().size(); ++i) query().values()[i] = i % 2 == 0 ? 1.0f : -1.0f;
    query().view()(5, 7) = 99;
    const WeightsResult result = measure("int4-g16", {0}, kAll);
    const OutlierDetails& details = *result.linears[0].outliers;
    EXPECT_EQ(details.outliers_6s, 1);
    EXPECT_EQ(details.outlier_magnitude, 99);
    EXPECT_EQ(details.range, 100);
    EXPECT_EQ(details.range_without_outliers, 2);
    EXPECT_EQ(details.worst_rows.at(0).index, 5);
    EXPECT_EQ(details.worst_columns.at(0).index, 7);
    EXPECT_EQ(details.worst_columns.at(0).share, 1);
    EXPECT_DOUBLE_EQ(details.one_value_groups.value(), 1.0 / (48 * 3));
    EXPECT_THAT(result.warnings.value(), ::testing::Contains(HasSubstr("50.0 times as wide")));
    EXPECT_EQ(result.linears[0].histogram->above, 1);
    // The group of the huge weight is the map's brightest cell.
    const auto& map = *result.linears[0].error_map;
    EXPECT_EQ(map.columns, 3);
    EXPECT_EQ(std::max_element(map.rms.begin(), map.rms.end()) - map.rms.begin(), 5 * 3);
    const WeightLook wide{.range_ratio_limit = 51};
    EXPECT_THAT(measure("int4-g16", {0}, wide).warnings.value(),
                ::testing::Each(HasSubstr("already quantized")));
}

TEST_F(WeightErrorsTest, AGaussianIsWarnedOfNothing) {
    Rng rng(6);
    for (float& x : query().values()) {
        double sum = -6;
        for (int i = 0; i < 12; ++i) sum += rng.uniform();
        x = static_cast<float>(sum);
    }
    const WeightsResult result = measure("int4-g16", {0});
    EXPECT_THAT(result.warnings.value(), ::testing::IsEmpty());
    EXPECT_NEAR(result.linears[0].outliers->kurtosis.value(), 3, 0.3);
    EXPECT_FALSE(result.linears[0].already_quantized);
}

TEST_F(WeightErrorsTest, WeightsOnAGridAreAlreadyQuantized) {
    apply_treatment(parse_treatment("int4-g16(scale=f32)"), model_.items()[0], query().view(), engine_.pool);
    const WeightsResult coarse = measure("int8-channel", {0});
    EXPECT_FALSE(coarse.linears[0].already_quantized);  // groups of 16 are not looked for
    apply_treatment(parse_treatment("int3-channel(scale=f32)"), model_.items()[0], query().view(),
                    engine_.pool);
    const WeightsResult result = measure("int8-channel", {0});
    EXPECT_EQ(result.linears[0].already_quantized->grid_bits, 3);
    EXPECT_EQ(result.linears[0].already_quantized->grid_group, 0);
    EXPECT_FALSE(result.linears[0].already_quantized->stored_type);
    EXPECT_THAT(result.warnings.value(), ::testing::Contains(HasSubstr("3-bit, a grid for each row")));
}

TEST_F(WeightErrorsTest, TheClipSweepIsOfIntegersWithScalesOfOneRow) {
    EXPECT_THROW(measure("mxfp4", {0}, kAll), InvalidArgument);
    EXPECT_THROW(measure("int4-tensor", {0}, kAll), InvalidArgument);
    const WeightLook groups{.group_sweep = true, .histograms = true};
    for (const char* treatment : {"mxfp4", "nvfp4", "int4-tensor", "fp8-e4m3-b32x32"}) {
        const WeightsLinear linear = measure(treatment, {0}, groups).linears[0];
        EXPECT_EQ(linear.group_sweep->size(), 30);
        EXPECT_FALSE(linear.error_map->rms.empty());
    }
}

TEST_F(WeightErrorsTest, NanNamesTheTensorAndThePlace) {
    weights_->matrices["model.layers.0.self_attn.k_proj.weight"].view()(7, 2) =
        std::numeric_limits<float>::quiet_NaN();
    EXPECT_THAT(error("int4-g16", 1), HasSubstr("model.layers.0.self_attn.k_proj"));
    EXPECT_THAT(error("int4-g16", 1), HasSubstr("row 7, column 2"));
}

TEST_F(WeightErrorsTest, AScaleThatOverflowsNamesTheTensor) {
    weights_->matrices["model.layers.0.self_attn.k_proj.weight"].view()(7, 2) = 1e30f;
    EXPECT_THAT(error("int4-g16", 1), HasSubstr("model.layers.0.self_attn.k_proj: group beginning with the "
                                                "weight at row 7"));
    EXPECT_EQ(error("int4-g16(scale=f32)", 1), "no error");
    // The sweep's scales are in f16.
    EXPECT_THAT(
        [&] { measure("int4-g16(scale=f32)", {1}, kAll); },
        ::testing::ThrowsMessage<NumericError>(HasSubstr("model.layers.0.self_attn.k_proj: weights from")));
}

TEST_F(WeightErrorsTest, StopsWhenAsked) {
    engine_.cancel.request();
    EXPECT_THROW(measure("int4-g16", {0}), Interrupted);
}

}  // namespace
}  // namespace assay
