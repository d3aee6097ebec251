#include "number/activation_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(ActivationFormat, ParsesBackToTheSameFormat) {
    for (const char* text : {"a8-token", "a8-tensor", "afp8-token", "afp8-tensor"})
        EXPECT_EQ(to_string(parse_activation_format(text)), text);
    EXPECT_EQ(parse_activation_format("afp8-tensor"),
              (ActivationFormat{ActivationFormat::Element::kE4m3, false}));
}

TEST(ActivationFormat, RejectsAnyOtherTextWithTheKnownOnes) {
    for (const char* text : {"", "a8", "a8-", "a8-tokens", "A8-token", "a4-token", "afp8", "afp8-e4m3-token",
                             "a8-token ", " a8-token", "a8-token-tensor", "a8-g128"}) {
        EXPECT_THAT([&] { parse_activation_format(text); },
                    ThrowsMessage<InvalidArgument>(HasSubstr("a8-token, a8-tensor, afp8-token")))
            << text;
    }
}

TEST(ActivationFormat, GoesWithWeightsThatAProductTakesAndNoOthers) {
    const ActivationFormat int8 = parse_activation_format("a8-token"),
                           fp8 = parse_activation_format("afp8-tensor");
    for (const char* text : {"int8-sym-channel", "int8-sym-tensor", "int4-sym-channel(scale=f32)"}) {
        EXPECT_NO_THROW(check_activations(parse_number_format(text), int8)) << text;
        EXPECT_THROW(check_activations(parse_number_format(text), fp8), InvalidArgument) << text;
    }
    for (const char* text : {"fp8-e4m3", "fp8-e4m3-tensor"}) {
        EXPECT_NO_THROW(check_activations(parse_number_format(text), fp8)) << text;
        EXPECT_THROW(check_activations(parse_number_format(text), int8), InvalidArgument) << text;
    }
    for (const char* text :
         {"int8-channel", "int8-sym-g64", "fp8-e5m2", "fp8-e4m3-b128x128", "mxfp8-e4m3", "mxfp4", "nvfp4"}) {
        for (const ActivationFormat& format : {int8, fp8})
            EXPECT_THROW(check_activations(parse_number_format(text), format), InvalidArgument) << text;
    }
}

}  // namespace
}  // namespace assay
