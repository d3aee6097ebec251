// Our rounding beside that of llm-compressor, on a linear that it quantized (tests/data/number).
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/mapped_file.h"
#include "number/fp8.h"
#include "number/int_grid.h"
#include "tensor/float16.h"
#include "tensor/float8.h"

namespace assay {
namespace {

constexpr std::int64_t kRows = 64, kCols = 256;

float bf16(float x) {
    return bf16_to_f32(f32_to_bf16(x));
}

struct Checkpoint {
    Matrix<float> weight{kRows, kCols}, scales{kRows, 1};
    Matrix<std::uint8_t> codes{kRows, kCols};

    explicit Checkpoint(const char* name) {
        const auto folder = std::filesystem::path(ASSAY_TEST_DATA) / "number" / name;
        read_bf16(folder / "weight.bf16", weight);
        read_bf16(folder / "scales.bf16", scales);
        const std::string bytes = read_file(folder / "codes.u8");
        EXPECT_EQ(bytes.size(), codes.values().size());
        std::copy(bytes.begin(), bytes.end(), codes.values().begin());
    }

    static void read_bf16(const std::filesystem::path& path, Matrix<float>& out) {
        const std::string bytes = read_file(path);
        ASSERT_EQ(bytes.size(), 2 * out.values().size());
        for (std::size_t i = 0; i < out.values().size(); ++i) {
            const auto low = static_cast<std::uint8_t>(bytes[2 * i]),
                       high = static_cast<std::uint8_t>(bytes[2 * i + 1]);
            out.values()[i] = bf16_to_f32(static_cast<std::uint16_t>(low | high << 8));
        }
    }
};

// On a CPU the library divides in bfloat16: its codes are those of the rounded quotient. Elsewhere a code may
// be one step off ours, and then ours is the nearer one.
struct Comparison {
    int other_codes = 0;
    int nearer_than_ours = 0;  // must stay 0
};

void compare(float w, float ours, float theirs, Comparison& result) {
    if (ours == theirs) return;
    ++result.other_codes;
    if (std::abs(static_cast<double>(theirs) - w) < std::abs(static_cast<double>(ours) - w))
        ++result.nearer_than_ours;
}

TEST(CompressedTensors, HasOurFp8ScalesAndCodes) {
    const Checkpoint theirs("ct-fp8-dynamic");
    ThreadPool pool(1);
    const FloatEncoding ours = encode_fp8(theirs.weight.view(), Fp8Format{}, pool);
    Comparison result;
    for (std::int64_t r = 0; r < kRows; ++r) {
        const float scale = theirs.scales.row(r)[0];
        ASSERT_EQ(ours.scales.row(r)[0], scale) << r;
        for (std::int64_t c = 0; c < kCols; ++c) {
            const float w = theirs.weight.view()(r, c);
            const std::uint8_t code = theirs.codes.view()(r, c);
            ASSERT_EQ(f32_to_f8e4m3(bf16(w / scale)), code) << r << " " << c;
            compare(w, f8e4m3_to_f32(ours.codes.view()(r, c)) * scale, f8e4m3_to_f32(code) * scale, result);
        }
    }
    EXPECT_EQ(result.nearer_than_ours, 0);
    EXPECT_EQ(result.other_codes, 520);  // 3.2 % of 16384
}

// Its integer scale is max |w| / 127.5, so that -max |w| would be the code -128 and +max |w| is cut to 127;
// ours is max |w| / 127. With its scales the codes are ours.
TEST(CompressedTensors, HasOurInt8CodesUnderItsOwnScales) {
    const Checkpoint theirs("ct-w8a8-int");
    Comparison result;
    for (std::int64_t r = 0; r < kRows; ++r) {
        float largest = 0;
        for (const float w : theirs.weight.row(r)) largest = std::max(largest, std::abs(w));
        const float scale = theirs.scales.row(r)[0];
        ASSERT_EQ(scale, bf16(largest / 127.5f)) << r;
        const IntGrid grid{.scale = scale, .zero = 128, .top = 255},
            unit{.scale = 1, .zero = 128, .top = 255};
        for (std::int64_t c = 0; c < kCols; ++c) {
            const float w = theirs.weight.view()(r, c);
            const auto code = static_cast<float>(static_cast<std::int8_t>(theirs.codes.view()(r, c))) + 128;
            ASSERT_EQ(unit.code(bf16(w / scale)), code) << r << " " << c;
            compare(w, grid.value(grid.code(w)), grid.value(code), result);
        }
    }
    EXPECT_EQ(result.nearer_than_ours, 0);
    EXPECT_EQ(result.other_codes, 1045);  // 6.4 % of 16384
}

}  // namespace
}  // namespace assay
