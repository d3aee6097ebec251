#include "targets/kernels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assay {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<std::string> names(const char* treatment, std::vector<MatrixShape> matrices = {{4096, 4096}}) {
    return kernels_of(parse_treatment(treatment), matrices);
}

TEST(Kernels, AsymmetricIntegersLoseNoMarlinButThoseOfEightBitsDo) {
    EXPECT_THAT(names("int4-sym-g128"), Contains("Marlin"));
    EXPECT_THAT(names("int4-g128"), Contains("Marlin"));
    EXPECT_THAT(names("int8-g128"), Not(Contains("Marlin")));
    EXPECT_THAT(names("int8-g128"), Contains("Machete"));
    EXPECT_THAT(names("int3-g128"), ElementsAre("GPTQ fallback of vLLM"));
}

TEST(Kernels, ShapesMustDivideByTheirTiles) {
    EXPECT_THAT(names("int4-sym-g64", {{576, 576}}), Not(Contains("Marlin")));
    EXPECT_THAT(names("int4-sym-g64", {{576, 576}}), Contains("ExLlamaV2"));
    EXPECT_THAT(names("int4-sym-g64", {{4096, 4096}, {576, 576}}), Not(Contains("Marlin")));
    EXPECT_THAT(names("int4-sym-g128", {{4096, 4160}}), Not(Contains("ExLlamaV2")));
}

TEST(Kernels, ActOrderAloneLosesOnlyThoseWithoutAnOrderOfColumns) {
    for (const char* treatment :
         {"int4-g128:gptq(act-order)", "int4-g128:yaqa(act-order,clip)", "int4-g128:awq"})
        EXPECT_THAT(names(treatment), Contains("AWQ GEMM")) << treatment;
    const auto reordered = names("int4-g128:gptq(act-order,static-groups=no)");
    EXPECT_THAT(reordered, Contains("Marlin"));
    EXPECT_THAT(reordered, Not(Contains("AWQ GEMM")));
}

TEST(Kernels, LlamaCppHasItsOwnGroups) {
    EXPECT_THAT(names("int4-sym-g32"), Contains("llama.cpp"));
    EXPECT_THAT(names("int8-sym-g32"), Contains("llama.cpp"));
    EXPECT_THAT(names("int4-sym-g64"), Not(Contains("llama.cpp")));
    EXPECT_THAT(names("mxfp4"), ElementsAre("llama.cpp"));
}

TEST(Kernels, FloatsHaveTheirOwn) {
    EXPECT_THAT(names("fp8-e4m3"), ElementsAre("FP8 Marlin"));
    EXPECT_THAT(names("fp8-e4m3-tensor(scale=f32)"), ElementsAre("FP8 Marlin"));
    EXPECT_THAT(names("fp8-e5m2"), IsEmpty());
    EXPECT_THAT(names("nvfp4"), ElementsAre("CUTLASS NVFP4"));
}

TEST(Kernels, RoundedInputsHaveTheirOwn) {
    EXPECT_THAT(names("int8-sym-channel+a8-token"), ElementsAre("CUTLASS int8"));
    EXPECT_THAT(names("int8-sym-tensor(scale=f32)+a8-tensor"), ElementsAre("CUTLASS int8"));
    EXPECT_THAT(names("fp8-e4m3+afp8-token"), ElementsAre("CUTLASS FP8"));
    EXPECT_THAT(names("int8-sym-channel"), Contains("Marlin"));
}

TEST(Kernels, ScalesThatNoFileFormatHoldsHaveNone) {
    EXPECT_THAT(names("int4-g128(scale=f32)"), IsEmpty());
    EXPECT_THAT(names("int4-b64x64"), IsEmpty());
}

TEST(Kernels, EachRuleNamesItsSource) {
    for (const IntegerKernel& kernel : integer_kernels()) EXPECT_GT(kernel.source.size(), 10u) << kernel.name;
    for (const FormatKernel& kernel : format_kernels()) EXPECT_GT(kernel.source.size(), 10u) << kernel.name;
}

}  // namespace
}  // namespace assay
