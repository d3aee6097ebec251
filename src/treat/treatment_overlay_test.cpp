// Treatments as overlays on a model.
#include "treat/treatment_overlay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "model/test_models.h"
#include "number/intk.h"
#include "quantize/interventions.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

TEST(TreatmentOverlay, AppliesTheFormatToTheChosenItemsOnly) {
    const Model model = random_model(small_llama_config());
    const auto format = std::get<IntFormat>(parse_number_format("int4-g16"));
    const TreatmentOverlay overlay({.format = format},
                                   [](const LinearItem& item) { return item.projection == "q_proj"; });
    ThreadPool pool(2);
    int chosen = 0;
    for (const LinearItem& item : model.items()) {
        if (!overlay.treats(item)) continue;
        ++chosen;
        const Matrix<float> w = read_weight(model.weights(), item.name);
        Matrix<float> treated = w, decoded = w;
        overlay.apply(item, treated.view());
        decode_int(encode_int(w.view(), format, pool), format, decoded.view(), pool);
        EXPECT_TRUE(std::equal(treated.values().begin(), treated.values().end(), decoded.values().begin()))
            << item.name;
        EXPECT_FALSE(std::equal(treated.values().begin(), treated.values().end(), w.values().begin()))
            << item.name;
    }
    EXPECT_EQ(chosen, 2);
}

TEST(TreatmentOverlay, AnErrorNamesTheItem) {
    const TreatmentOverlay overlay(parse_treatment("int4-g16"), [](const LinearItem&) { return true; });
    Matrix<float> w(2, 16);
    w.view()(1, 3) = 1e30f;  // its scale overflows f16
    try {
        overlay.apply({.name = "model.layers.0.mlp.up_proj"}, w.view());
        FAIL() << "no error";
    } catch (const NumericError& e) {
        EXPECT_THAT(e.what(), HasSubstr("model.layers.0.mlp.up_proj"));
    }
}

TEST(TreatmentOverlay, ClipRoundsInClippedRangesRowByRow) {
    const Model model = random_model(small_llama_config());
    const LinearItem& item = model.items().front();
    const TreatmentOverlay overlay(parse_treatment("int4-g16:clip"), [](const LinearItem&) { return true; });
    Matrix<float> w = read_weight(model.weights(), item.name), clipped = w, rounded = w;
    ThreadPool pool(1);
    overlay.apply(item, w.view());
    round_clipped(clipped.view(), parse_number_format("int4-g16"), pool);
    apply_treatment(parse_treatment("int4-g16"), item, rounded.view(), pool);
    EXPECT_TRUE(std::equal(w.values().begin(), w.values().end(), clipped.values().begin()));
    EXPECT_FALSE(std::equal(w.values().begin(), w.values().end(), rounded.values().begin()));
    EXPECT_TRUE(overlay.row_wise());
}

TEST(TreatmentOverlay, RefusesAMethodThatNeedsCalibration) {
    ThreadPool pool(1);
    Matrix<float> w(2, 16);
    EXPECT_THAT([&] { apply_treatment(parse_treatment("int4-g16:gptq"), {}, w.view(), pool); },
                ::testing::ThrowsMessage<InvalidArgument>(HasSubstr("needs calibration windows")));
}

}  // namespace
}  // namespace assay
