#include "workflow/calibration_mix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "base/error.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(CalibrationMix, ReadsSetsAndWeights) {
    const auto mix = parse_calibration_mix("c4:2,code:0.5,my/text:1e1");
    ASSERT_EQ(mix.size(), 3u);
    EXPECT_EQ(mix[0].set, "c4");
    EXPECT_EQ(mix[0].weight, 2);
    EXPECT_EQ(mix[1].weight, 0.5);
    EXPECT_EQ(mix[2].set, "my/text");
    EXPECT_EQ(mix[2].weight, 10);
    EXPECT_EQ(parse_calibration_mix("wiki")[0].set, "wiki");
    EXPECT_EQ(parse_calibration_mix("a,b")[0].set, "a,b");
}

TEST(CalibrationMix, RejectsWhatIsNoMix) {
    for (const char* text :
         {"c4:", "c4:0", "c4:-1", "c4:nan", "c4:inf", "c4:1x", ":1", "c4:1,code", "c4:1,,wiki:1", "c4:1,"}) {
        EXPECT_THAT([&] { parse_calibration_mix(text); },
                    ThrowsMessage<InvalidArgument>(HasSubstr("a mix is written c4:2,code:1")))
            << text;
    }
}

TEST(CalibrationMix, SharesWindowsOutByWeight) {
    const auto counts = [](std::int64_t samples, const char* mix) {
        return windows_of_shares(samples, parse_calibration_mix(mix));
    };
    EXPECT_THAT(counts(6, "a:2,b:1"), ElementsAre(4, 2));
    EXPECT_THAT(counts(7, "a:2,b:1"), ElementsAre(5, 2));  // 4.67 and 2.33
    EXPECT_THAT(counts(1, "a:1,b:1,c:1"), ElementsAre(1, 0, 0));
    EXPECT_THAT(counts(5, "a:1,b:1,c:1"), ElementsAre(2, 2, 1));
    EXPECT_THAT(counts(128, "mixed"), ElementsAre(128));
    for (std::int64_t n : {1, 2, 3, 17, 100}) {
        const auto all = counts(n, "a:0.3,b:7,c:1.1,d:2");
        EXPECT_EQ(std::accumulate(all.begin(), all.end(), std::int64_t{0}), n);
    }
}

SampledWindows windows_of(std::int32_t token, int count) {
    SampledWindows out;
    for (std::int32_t i = 0; i < count; ++i) out.windows.push_back({token, i});
    out.documents_read = count;
    out.joined_windows = 1;
    return out;
}

TEST(CalibrationMix, AnyFirstWindowsAreMixedAsAllAre) {
    const SampledWindows mixed = interleave({windows_of(1, 8), windows_of(2, 4)});
    ASSERT_EQ(mixed.windows.size(), 12u);
    int ones = 0;
    for (std::size_t i = 0; i < mixed.windows.size(); ++i) {
        ones += mixed.windows[i][0] == 1 ? 1 : 0;
        EXPECT_NEAR(ones, 2.0 / 3 * static_cast<double>(i + 1), 1);
    }
    EXPECT_EQ(mixed.documents_read, 12);
    EXPECT_EQ(mixed.joined_windows, 2);
    // Of one share nothing moves.
    EXPECT_EQ(interleave({windows_of(3, 5)}).windows, windows_of(3, 5).windows);
}

}  // namespace
}  // namespace assay
