// What a treatment does to the weights, against the formulas written out.
#include "treat/weight_errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "model/test_models.h"
#include "treat/treatment_overlay.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

class WeightErrorsTest : public ::testing::Test {
  protected:
    WeightsResult measure(const std::string& treatment, const std::vector<std::size_t>& items) {
        return measure_weight_errors(model_, items, parse_treatment(treatment), engine_);
    }

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
}

TEST_F(WeightErrorsTest, ThreadsChangeNoBit) {
    TestEngine one(1), three(3);
    const std::vector<std::size_t> items{0, 6, 14};
    const Treatment treatment = parse_treatment("int3-g16");
    EXPECT_EQ(measure_weight_errors(model_, items, treatment, one),
              measure_weight_errors(model_, items, treatment, three));
}

TEST_F(WeightErrorsTest, NanNamesTheTensorAndThePlace) {
    weights_->matrices["model.layers.0.self_attn.k_proj.weight"].view()(7, 2) =
        std::numeric_limits<float>::quiet_NaN();
    EXPECT_THAT(error("int4-g16", 1), HasSubstr("model.layers.0.self_attn.k_proj"));
    EXPECT_THAT(error("int4-g16", 1), HasSubstr("row 7, column 2"));
}

TEST_F(WeightErrorsTest, AScaleThatOverflowsNamesTheTensor) {
    weights_->matrices["model.layers.0.self_attn.k_proj.weight"].view()(7, 2) = 1e30f;
    EXPECT_THAT(error("int4-g16", 1), HasSubstr("model.layers.0.self_attn.k_proj"));
    EXPECT_EQ(error("int4-g16(scale=f32)", 1), "no error");
}

TEST_F(WeightErrorsTest, StopsWhenAsked) {
    engine_.cancel.request();
    EXPECT_THROW(measure("int4-g16", {0}), Interrupted);
}

}  // namespace
}  // namespace assay
