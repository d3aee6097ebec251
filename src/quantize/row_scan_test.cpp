// Rows are shown once each, in order, padded and aligned, whatever the number of threads.
#include "quantize/row_scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "base/error.h"

namespace assay {
namespace {

Matrix<float> counted(std::int64_t rows, std::int64_t cols) {
    Matrix<float> m(rows, cols);
    std::iota(m.values().begin(), m.values().end(), 1.0f);
    return m;
}

// The rows that were shown, in order; sums that depend on the order.
struct Seen {
    std::vector<std::int64_t> rows;
    float sum = 0;

    void add(const RowPanel& panel) {
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(panel.w.data()) % 64, 0u);
        EXPECT_EQ(panel.w.stride() % 32, 0);
        for (std::int64_t r = 0; r < panel.w.rows(); ++r) {
            rows.push_back(panel.first_row + r);
            for (float x : panel.w.row(r)) sum = sum * 0.75f + x;
            for (std::int64_t c = panel.w.cols(); c < panel.w.stride(); ++c)
                EXPECT_EQ(panel.w.row(r).data()[c], 0);
        }
    }
    void merge(const Seen& other) {
        rows.insert(rows.end(), other.rows.begin(), other.rows.end());
        sum = sum * 0.5f + other.sum;
    }
};

TEST(RowScan, ShowsEveryRowOnceInOrder) {
    for (const auto& [rows, cols] : {std::pair<std::int64_t, std::int64_t>{1, 1},
                                     {7, 33},
                                     {300, 1000},
                                     {2000, 31},
                                     {3, 40000},
                                     {5000, 577}}) {
        const Matrix<float> w = counted(rows, cols);
        ThreadPool one(1), three(3);
        const Seen a = scan_rows(rows_of(w.view()), one, Seen{}),
                   b = scan_rows(rows_of(w.view()), three, Seen{});
        std::vector<std::int64_t> expected(static_cast<std::size_t>(rows));
        std::iota(expected.begin(), expected.end(), std::int64_t{0});
        EXPECT_EQ(a.rows, expected) << rows << " x " << cols;
        EXPECT_EQ(b.rows, expected);
        EXPECT_EQ(a.sum, b.sum);
        EXPECT_LE(std::ssize(row_shares(rows, cols)), kMostShares);
    }
}

// Of each panel, the ranges of groups of some widths, asked for in two orders, against those of the weights.
struct RangesSeen {
    std::vector<std::int64_t> widths;
    int groups = 0;

    void add(const RowPanel& panel) {
        for (std::int64_t width : widths) {
            const auto& [own_width, per_row, low, high] = ranges_of(panel, width);
            EXPECT_EQ(own_width, std::min(width, panel.w.cols()));
            EXPECT_EQ(per_row, (panel.w.cols() + width - 1) / width);
            std::size_t g = 0;
            for (std::int64_t r = 0; r < panel.w.rows(); ++r) {
                const auto row = panel.w.row(r);
                for (std::size_t first = 0; first < row.size();
                     first += static_cast<std::size_t>(width), ++g) {
                    const auto group =
                        row.subspan(first, std::min(static_cast<std::size_t>(width), row.size() - first));
                    ASSERT_LT(g, low.size());
                    EXPECT_EQ(low[g], *std::min_element(group.begin(), group.end()));
                    EXPECT_EQ(high[g], *std::max_element(group.begin(), group.end()));
                }
            }
            EXPECT_EQ(low.size(), g);
            EXPECT_EQ(high.size(), g);
            groups += static_cast<int>(g);
        }
    }
    void merge(const RangesSeen& other) { groups += other.groups; }
};

TEST(RowScan, RangesOfNarrowGroupsMakeThoseOfWideOnes) {
    for (const auto& [rows, cols] : {std::pair<std::int64_t, std::int64_t>{70, 512},
                                     {90, 576},
                                     {40, 1000},
                                     {30, 33},
                                     {20, 1},
                                     {2, 20000}}) {
        Matrix<float> w = counted(rows, cols);
        for (float& x : w.values()) x = std::sin(x * x);
        ThreadPool pool(2);
        for (const auto& widths :
             {std::vector<std::int64_t>{32, 64, 128, 256, cols}, {cols, 128, 32, 64}, {20, 100, 40, 50000}})
            EXPECT_GT(scan_rows(rows_of(w.view()), pool, RangesSeen{widths}).groups, 0);
    }
}

TEST(RowScan, AMatrixWithoutElementsShowsNothing) {
    ThreadPool pool(2);
    for (const auto& [rows, cols] : {std::pair<std::int64_t, std::int64_t>{0, 5}, {5, 0}}) {
        const Matrix<float> w(rows, cols);
        EXPECT_TRUE(scan_rows(rows_of(w.view()), pool, Seen{}).rows.empty());
    }
}

TEST(RowScan, ReadsEachRowOnce) {
    std::vector<int> reads(600);
    const RowSource source{600, 500, [&](std::int64_t first, MatrixView<float> out) {
                               for (std::int64_t r = 0; r < out.rows(); ++r)
                                   ++reads[static_cast<std::size_t>(first + r)];
                           }};
    ThreadPool pool(1);
    scan_rows(source, pool, Seen{});
    EXPECT_EQ(reads, std::vector<int>(600, 1));
}

TEST(RowScan, PassesOnWhatReadingThrows) {
    const RowSource source{9, 9, [](std::int64_t, MatrixView<float>) { throw FormatError("cut short"); }};
    ThreadPool pool(2);
    EXPECT_THROW(scan_rows(source, pool, Seen{}), FormatError);
}

}  // namespace
}  // namespace assay
