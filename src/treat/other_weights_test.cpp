// Another model's weights, whole and by rows.
#include "treat/other_weights.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "model/test_models.h"

namespace assay {
namespace {

TEST(OtherWeights, AreTheOtherModelsWholeOrByRows) {
    const Model own = random_model(small_llama_config(), 3), other = random_model(small_llama_config(), 4);
    const OtherWeights overlay(other);
    for (const LinearItem& item : own.items()) {
        const Matrix<float> expected = read_weight(other.weights(), item.name);
        Matrix<float> w = read_weight(own.weights(), item.name);
        overlay.apply(item, w.view());
        EXPECT_TRUE(std::equal(w.values().begin(), w.values().end(), expected.values().begin())) << item.name;
        const std::vector<std::int64_t> rows{0, 1, 5, 7, 8, 23};
        Matrix<float> some(std::ssize(rows), item.in);
        overlay.apply_rows(item, rows, some.view());
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const auto row = some.row(static_cast<std::int64_t>(i));
            EXPECT_TRUE(std::equal(row.begin(), row.end(), expected.row(rows[i]).begin())) << item.name;
        }
    }
}

TEST(OtherWeights, RefusesNumbersThatAreNotFinite) {
    const auto weights = random_weights(small_llama_config(), 4);
    const std::string name = "model.layers.0.mlp.up_proj";
    weights->matrices.at(name + ".weight").view()(2, 1) = std::numeric_limits<float>::quiet_NaN();
    const Model other("other", small_llama_config(), make_blocks(small_llama_config()), weights);
    Matrix<float> w(80, 48);
    LinearItem item;
    item.name = name;
    EXPECT_THROW(OtherWeights(other).apply(item, w.view()), NumericError);
}

}  // namespace
}  // namespace assay
