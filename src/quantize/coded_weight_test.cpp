#include "quantize/coded_weight.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/rng.h"
#include "quantize/rtn.h"

namespace assay {
namespace {

Matrix<float> random_weight(std::int64_t rows, std::int64_t cols) {
    Matrix<float> w(rows, cols);
    Rng rng(3);
    for (float& v : w.values()) v = static_cast<float>(rng.uniform() * 2 - 1);
    return w;
}

TEST(CodedWeight, CodesTimesScalesAreTheRoundedWeights) {
    ThreadPool pool(2);
    for (const char* name : {"int8-sym-channel", "int8-sym-tensor", "int4-sym-channel(scale=f32)", "fp8-e4m3",
                             "fp8-e4m3-tensor", "fp8-e5m2"}) {
        const NumberFormat format = parse_number_format(name);
        const Matrix<float> w = random_weight(7, 33);
        Matrix<float> rounded(7, 33);
        rtn(w.view(), format, rounded.view(), pool);
        const CodedWeight coded = code_rows(w.view(), format, pool);
        for (std::int64_t r = 0; r < 7; ++r) {
            for (std::int64_t c = 0; c < 33; ++c) {
                EXPECT_EQ(coded.codes.view()(r, c) * coded.scales[static_cast<std::size_t>(r)],
                          rounded.view()(r, c))
                    << name;
            }
        }
    }
}

TEST(CodedWeight, RefusesFormatsWithoutOneScaleARow) {
    ThreadPool pool(1);
    for (const char* name : {"int8-channel", "int8-sym-g16", "fp8-e4m3-b2x2", "mxfp4", "nvfp4"}) {
        EXPECT_THROW(code_rows(random_weight(4, 32).view(), parse_number_format(name), pool), InvalidArgument)
            << name;
    }
}

}  // namespace
}  // namespace assay
