// Tests of reading and printing treatments.
#include "records/treatment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
    for (const char* text : {"int4-g64(scale=f32):rtn", "int4-sym-g128", "int8-channel", "fp8-e4m3",
                             "fp8-e5m2-b128x128(scale=f32):rtn", "mxfp4", "nvfp4:rtn"}) {
        const Treatment treatment = parse_treatment(text);
        EXPECT_EQ(parse_treatment(to_string(treatment)), treatment) << text;
    }
}

TEST(Treatment, HandsOptionsToTheFormat) {
    EXPECT_EQ(parse_treatment("int4-g64(scale=f32):rtn").format, parse_number_format("int4-g64(scale=f32)"));
}

TEST(Treatment, ListsTheKnownMethodsWhenOneIsUnknown) {
    EXPECT_THAT([] { parse_treatment("int4-g64:sparkle"); },
                ThrowsMessage<InvalidArgument>(HasSubstr("unknown method \"sparkle\"; known are rtn")));
}

TEST(Treatment, RejectsAnEmptyMethod) {
    EXPECT_THROW(parse_treatment("int4-g64:"), InvalidArgument);
}

TEST(Treatment, RejectsOptionsOfAMethodThatHasNone) {
    EXPECT_THAT([] { parse_treatment("int4-g64:rtn(fast)"); },
                ThrowsMessage<InvalidArgument>(HasSubstr("method rtn takes no options")));
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
