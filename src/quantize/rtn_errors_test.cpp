// The errors of rounding against those of the rounded matrix.
#include "quantize/rtn_errors.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "quantize/interventions.h"
#include "quantize/rtn.h"

namespace assay {
namespace {

TEST(RtnErrors, AreThoseOfTheRoundedMatrix) {
    ThreadPool pool(2);
    for (const auto& [rows, cols] :
         {std::pair<std::int64_t, std::int64_t>{50, 576}, {3, 1}, {9, 130}, {200, 1111}}) {
        Matrix<float> norms(rows, cols);
        std::fill(norms.values().begin(), norms.values().end(), 0.1f);
        Matrix<float> w = gaussian_twin(norms.view(), 5), rounded = w;
        w.values()[0] = 0;
        ErrorTotals weights;
        for (std::int64_t r = 0; r < rows; ++r) weights.add_row(w.row(r), w.row(r));
        for (const char* text : {"int4-g128", "int4-sym-g64", "int3-channel", "int8-g20(scale=f32)"}) {
            const auto format = std::get<IntFormat>(parse_number_format(text));
            rtn(w.view(), format, rounded.view(), pool);
            const ReconstructionError expected = reconstruction_error(w.view(), rounded.view(), pool);
            const ReconstructionError found =
                scan_rows(rows_of(w.view()), pool, RtnErrorSums(format, cols)).error(weights.weight2);
            EXPECT_NEAR(found.frobenius, expected.frobenius, 1e-6 * expected.frobenius) << text;
            EXPECT_NEAR(found.relative, expected.relative, 1e-6 * expected.relative) << text;
            EXPECT_NEAR(found.mean_abs, expected.mean_abs, 1e-6 * expected.mean_abs) << text;
            EXPECT_NEAR(found.max_abs, expected.max_abs, 1e-5 * expected.max_abs) << text;
            EXPECT_EQ(found.sqnr_db.has_value(), expected.sqnr_db.has_value());
        }
    }
}

TEST(RtnErrors, OfZerosAreExactlyZero) {
    ThreadPool pool(1);
    const Matrix<float> w(5, 40);
    const ReconstructionError error =
        scan_rows(rows_of(w.view()), pool, RtnErrorSums(IntFormat{.tile = group_tile(16)}, 40)).error(0);
    EXPECT_EQ(error.frobenius, 0);
    EXPECT_EQ(error.max_abs, 0);
    EXPECT_FALSE(error.sqnr_db);
}

}  // namespace
}  // namespace assay
