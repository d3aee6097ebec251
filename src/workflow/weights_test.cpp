// The verb weights from the public face.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "workflow/workflow.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Envelope weights(const WeightsOptions& options) {
    const CancelToken cancel;
    return measure_weights(options, silent_progress(), cancel);
}

WeightsOptions tiny() {
    return {.model = {.model = ASSAY_TEST_DATA "/tiny/llama-tied", .threads = 2}};
}

TEST(Weights, RejectUnknownSweepsAndImpossibleLimits) {
    WeightsOptions options = tiny();
    options.sweep = "bits";
    EXPECT_THAT([&] { weights(options); }, ThrowsMessage<InvalidArgument>(HasSubstr("groups, clip, all")));
    options = tiny();
    options.calibration.emplace();
    options.sweep = "groups";
    EXPECT_THAT([&] { weights(options); },
                ThrowsMessage<InvalidArgument>(HasSubstr("--calibration goes with --sweep clip or all")));
    options = tiny();
    options.range_ratio = 0.5;
    EXPECT_THAT([&] { weights(options); }, ThrowsMessage<InvalidArgument>(HasSubstr("--range-ratio")));
}

TEST(Weights, SweepOnlyWhatIsAskedFor) {
    WeightsOptions options = tiny();
    options.linears = "layers.0.mlp";
    for (const char* sweep : {"none", "groups", "clip", "all"}) {
        options.sweep = sweep;
        const Envelope envelope = weights(options);
        const auto& result = std::get<WeightsResult>(envelope.result);
        EXPECT_EQ(envelope.settings.at("sweep"), sweep);
        EXPECT_EQ(result.linears.size(), 3);
        const bool all = options.sweep == "all";
        EXPECT_EQ(result.group_sweep.has_value(), all || options.sweep == "groups");
        EXPECT_EQ(result.linears[0].clip_sweep.has_value(), all || options.sweep == "clip");
        EXPECT_FALSE(result.linears[0].histogram);
        EXPECT_TRUE(result.linears[0].outliers);
    }
}

}  // namespace
}  // namespace assay
