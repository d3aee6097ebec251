// Tests of reading and printing treatments.
#include "records/treatment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(Treatment, NamesItsMethodWhenPrinted) {
    EXPECT_EQ(to_string(parse_treatment("int4-g64:rtn")), "int4-g64:rtn");
    EXPECT_EQ(to_string(parse_treatment("int4-g64")), "int4-g64:rtn");
}

TEST(Treatment, ParsesBackToTheSameTreatment) {
    for (const char* text : {"int4-g64(scale=f32):rtn",
                             "int4-sym-g128",
                             "int8-channel",
                             "fp8-e4m3",
                             "fp8-e5m2-b128x128(scale=f32):rtn",
                             "mxfp4",
                             "nvfp4:rtn",
                             "mxfp4:clip",
                             "int4-g64:gptq",
                             "int4-g64:gptq(act-order,damp=0.05,static-groups=no)",
                             "int3-sym-channel:gptq(clip,true-sequential)",
                             "int2-g32:gptq(damp=0.1)",
                             "int4-g64:awq",
                             "int4-g64:awq(clip=no,damp=0.1,fold=no)",
                             "int4-g64:gptq(act-order,awq,clip)",
                             "int4-sym-g64:yaqa",
                             "int3-g64:yaqa(act-order,clip,damp=0.05,output-damp=10)",
                             "int4-g64:gptq(search-damp)",
                             "int4-g64:gptq(act-order,gradient-weights,grow)",
                             "int4-g64:awq(grow)",
                             "int4-g64:yaqa(grow)",
                             "int4-g64:clip(inputs)",
                             "int3-g64:yaqa(awq,fold=no)"}) {
        const Treatment treatment = parse_treatment(text);
        EXPECT_EQ(parse_treatment(to_string(treatment)), treatment) << text;
    }
}

TEST(Treatment, HandsOptionsToTheFormat) {
    EXPECT_EQ(parse_treatment("int4-g64(scale=f32):rtn").format, parse_number_format("int4-g64(scale=f32)"));
}

TEST(Treatment, ListsTheKnownMethodsWhenOneIsUnknown) {
    EXPECT_THAT([] { parse_treatment("int4-g64:sparkle"); },
                ThrowsMessage<InvalidArgument>(
                    HasSubstr("unknown method \"sparkle\"; known are rtn, clip, awq, gptq")));
}

TEST(Treatment, SaysHowActivationsAreStored) {
    for (const auto& [text, canonical] : std::vector<std::pair<const char*, const char*>>{
             {"int8-sym-channel+a8-token", "int8-sym-channel+a8-token:rtn"},
             {"int8-sym-tensor(scale=f32)+a8-tensor:rtn", "int8-sym-tensor(scale=f32)+a8-tensor:rtn"},
             {"fp8-e4m3-channel+afp8-token", "fp8-e4m3+afp8-token:rtn"},
             {"int8-sym-channel+a8-token:smooth(alpha=0.5)", "int8-sym-channel+a8-token:smooth"},
             {"int8-sym-channel+a8-tensor:smooth(alpha=0.8)", "int8-sym-channel+a8-tensor:smooth(alpha=0.8)"},
             {"fp8-e4m3+afp8-tensor:smooth(search,one-alpha)",
              "fp8-e4m3+afp8-tensor:smooth(one-alpha,search)"}}) {
        EXPECT_EQ(to_string(parse_treatment(text)), canonical);
        EXPECT_EQ(parse_treatment(text), parse_treatment(canonical));
        EXPECT_NE(parse_treatment(text), parse_treatment("int8-sym-channel"));
    }
}

TEST(Treatment, IsCalibratedByItsMethodOrAStaticScale) {
    EXPECT_FALSE(is_calibrated(parse_treatment("int8-sym-channel")));
    EXPECT_FALSE(is_calibrated(parse_treatment("int8-sym-channel+a8-token")));
    EXPECT_TRUE(is_calibrated(parse_treatment("int8-sym-channel+a8-tensor")));
    EXPECT_TRUE(is_calibrated(parse_treatment("int8-sym-channel+a8-token:smooth")));
    EXPECT_TRUE(is_calibrated(parse_treatment("int4-g64:gptq")));
    EXPECT_FALSE(is_calibrated(parse_treatment("int4-g64:clip")));
    EXPECT_TRUE(is_calibrated(parse_treatment("int4-g64:clip(inputs)")));
}

TEST(Treatment, ChoosesItsCodesByInputsOrNot) {
    for (const char* text : {"int4-g64:gptq", "int4-g64:clip(inputs)", "int8-sym-channel+a8-tensor:smooth"})
        EXPECT_TRUE(looks_at_inputs(parse_treatment(text))) << text;
    for (const char* text :
         {"int4-g64", "int4-g64:clip", "int4-g64:clip(inputs=no)", "int8-sym-channel+a8-tensor"})
        EXPECT_FALSE(looks_at_inputs(parse_treatment(text))) << text;
    EXPECT_TRUE(is_set(parse_treatment("int4-g64:awq"), "clip"));
    EXPECT_FALSE(is_set(parse_treatment("int4-g64:gptq"), "clip"));
    EXPECT_FALSE(is_set(parse_treatment("int4-g64:rtn"), "clip"));
}

TEST(Treatment, RejectsActivationsThatDoNotGoWithTheRest) {
    for (const auto& [text, why] : std::vector<std::pair<const char*, const char*>>{
             {"int8-channel+a8-token", "no product takes these together"},
             {"int4-sym-g64+a8-token", "no product takes these together"},
             {"int8-sym-channel+afp8-token", "no product takes these together"},
             {"fp8-e5m2+afp8-token", "no product takes these together"},
             {"int8-sym-channel+", "after '+' a8-token"},
             {"int8-sym-channel+a8-token+a8-token", "after '+' a8-token"},
             {"+a8-token", "number format ''"},
             {"int8-sym-channel+a8-token:clip", "chooses codes of weights alone"},
             {"int8-sym-channel+a8-token:clip(inputs)", "chooses codes of weights alone"},
             {"int8-sym-channel+a8-token:gptq", "chooses codes of weights alone"},
             {"int8-sym-channel:smooth", "name their format"},
             {"int8-sym-channel+a8-token:smooth(alpha=1.5)", "a number from 0 to 1"},
             {"int8-sym-channel+a8-token:smooth(alpha=nan)", "a number from 0 to 1"},
             {"int8-sym-channel+a8-token:smooth(alpha=)", "a number from 0 to 1"},
             {"int8-sym-channel+a8-token:smooth(alpha=0.7,search)", "alpha or search, not both"},
             {"int8-sym-channel+a8-token:smooth(one-alpha)", "one-alpha and scored beside search only"},
             {"int8-sym-channel+a8-token:smooth(scored)", "one-alpha and scored beside search only"},
             {"int8-sym-channel+a8-token:smooth(search,one-alpha,scored)", "one-alpha or scored, not both"},
             {"int8-sym-channel+a8-token:smooth(damp=0.1)", "has no option \"damp\""}}) {
        const std::string given = text;
        EXPECT_THAT([&] { parse_treatment(given); }, ThrowsMessage<InvalidArgument>(HasSubstr(why))) << given;
    }
}

TEST(Treatment, UsesGradientsByItsMethodOrAnOption) {
    EXPECT_TRUE(uses_gradients(parse_treatment("int4-g64:yaqa")));
    EXPECT_TRUE(uses_gradients(parse_treatment("int4-g64:gptq(gradient-weights)")));
    for (const char* text :
         {"int4-g64:gptq", "int4-g64:gptq(gradient-weights=no)", "int4-g64", "int4-g64:awq"})
        EXPECT_FALSE(uses_gradients(parse_treatment(text))) << text;
}

TEST(Treatment, FlagsThatAMethodDoesNotHaveAreNotSet) {
    EXPECT_TRUE(is_set(parse_treatment("int4-g64:gptq(grow)"), "grow"));
    EXPECT_TRUE(is_set(parse_treatment("int4-g64:gptq(act-order)"), "static-groups"));
    EXPECT_FALSE(is_set(parse_treatment("int4-g64:gptq"), "grow"));
    EXPECT_FALSE(is_set(parse_treatment("int4-g64"), "grow"));
}

TEST(Treatment, TakesADampingOrSearchesForIt) {
    EXPECT_THAT([] { parse_treatment("int4-g64:gptq(damp=0.1,search-damp)"); },
                ThrowsMessage<InvalidArgument>(HasSubstr("damp or search-damp, not both")));
}

TEST(Treatment, RejectsAnEmptyMethod) {
    EXPECT_THROW(parse_treatment("int4-g64:"), InvalidArgument);
}

TEST(Treatment, RejectsOptionsOfAMethodThatHasNone) {
    EXPECT_THAT([] { parse_treatment("int4-g64:rtn(fast)"); },
                ThrowsMessage<InvalidArgument>(HasSubstr("method rtn takes no options")));
}

TEST(Treatment, PrintsOptionsByNameAndOnlyWhereTheyAreNotAsUsual) {
    for (const auto& [text, canonical] : std::vector<std::pair<const char*, const char*>>{
             {"int4-g64:gptq(act-order,damp=0.01,static-groups)", "int4-g64:gptq(act-order)"},
             {"int4-g64:gptq(static-groups=no,act-order=yes)", "int4-g64:gptq(act-order,static-groups=no)"},
             {"int4-g64:gptq(static-groups=no)", "int4-g64:gptq"},
             {"int4-g64:gptq(static-groups)", "int4-g64:gptq(static-groups)"},
             {"int4-g64:gptq(damp=1e-1,clip,act-order=no)", "int4-g64:gptq(clip,damp=0.1)"},
             {"int4-g64:awq(clip,fold=yes)", "int4-g64:awq"},
             {"int4-g64:gptq(awq,fold)", "int4-g64:gptq(awq)"},
             {"int4-g64:clip(inputs=no)", "int4-g64:clip"}}) {
        EXPECT_EQ(to_string(parse_treatment(text)), canonical);
        EXPECT_EQ(parse_treatment(text), parse_treatment(canonical));
    }
}

TEST(Treatment, OptionsAreAsGivenOrAsUsual) {
    const Treatment plain = parse_treatment("int4-g64:gptq"),
                    ordered = parse_treatment("int4-g64:gptq(act-order,damp=0.2)");
    EXPECT_EQ(option(plain, "damp"), 0.01);
    EXPECT_EQ(option(plain, "act-order"), 0);
    EXPECT_EQ(option(plain, "static-groups"), 0);
    EXPECT_EQ(option(ordered, "damp"), 0.2);
    EXPECT_EQ(option(ordered, "act-order"), 1);
    EXPECT_EQ(option(ordered, "static-groups"), 1);
    EXPECT_THROW(option(ordered, "sparkle"), InvalidArgument);
    EXPECT_THROW(option(parse_treatment("int4-g64"), "damp"), InvalidArgument);
}

TEST(Treatment, RejectsWhatIsNoOption) {
    for (const auto& [options, why] : std::vector<std::pair<const char*, const char*>>{
             {"", "no option \"\"; it has act-order, awq, clip, damp"},
             {"sparkle", "no option \"sparkle\""},
             {"clip,clip=no", "option clip is given twice"},
             {"clip=maybe", "clip=yes or clip=no"},
             {"damp", "option damp is a number from 0 to 1, such as damp=0.01"},
             {"damp=", "option damp is a number"},
             {"damp=0.1x", "option damp is a number"},
             {"damp=nan", "option damp is a number"},
             {"damp=-1", "option damp is a number"},
             {"clip,", "no option \"\""}}) {
        EXPECT_THAT([o = options] { parse_treatment("int4-g64:gptq(" + std::string(o) + ")"); },
                    ThrowsMessage<InvalidArgument>(HasSubstr(why)));
    }
    EXPECT_THROW(parse_treatment("int4-g64:gptq(clip"), InvalidArgument);
    EXPECT_THROW(parse_treatment("int4-g64:gptq(clip)x"), InvalidArgument);
}

TEST(Treatment, MethodsSayWhetherTheyNeedCalibration) {
    for (const Method& method : methods()) {
        EXPECT_EQ(method.calibrated, method.name != "rtn" && method.name != "clip") << method.name;
        EXPECT_EQ(method.gradients, method.name == "yaqa") << method.name;
        EXPECT_TRUE(std::is_sorted(method.options.begin(), method.options.end(),
                                   [](const auto& a, const auto& b) { return a.name < b.name; }));
    }
}

TEST(Treatment, RejectsAnUnknownFormat) {
    EXPECT_THROW(parse_treatment("huge4"), InvalidArgument);
}

TEST(Treatment, RejectsAnEmptyText) {
    EXPECT_THROW(parse_treatment(""), InvalidArgument);
}

TEST(Treatment, RejectsATrailingSecondMethod) {
    EXPECT_THROW(parse_treatment("int4-g64:rtn:rtn"), InvalidArgument);
}

}  // namespace
}  // namespace assay
