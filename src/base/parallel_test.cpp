#include "base/parallel.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/error.h"

namespace assay {
namespace {

TEST(ThreadPool, RunsEachTaskExactlyOnceForAnyThreadCount) {
    for (int threads : {1, 2, 3, 7}) {
        ThreadPool pool(threads);
        EXPECT_EQ(pool.threads(), threads);
        for (std::int64_t n : {0, 1, 2, 31, 257}) {
            std::vector<int> runs(static_cast<std::size_t>(n), 0);
            pool.for_each(n, [&](std::int64_t i) { ++runs[static_cast<std::size_t>(i)]; });
            EXPECT_EQ(runs, std::vector<int>(static_cast<std::size_t>(n), 1));
        }
    }
}

TEST(ThreadPool, RethrowsATasksExceptionAndStaysUsable) {
    ThreadPool pool(3);
    EXPECT_THROW(pool.for_each(50,
                               [](std::int64_t i) {
                                   if (i == 7) throw NumericError("seven");
                               }),
                 NumericError);
    int sum = 0;
    pool.for_each(1, [&](std::int64_t) { ++sum; });
    EXPECT_EQ(sum, 1);
}

TEST(ParallelFor, CoversTheRangeInFixedPieces) {
    ThreadPool pool(2);
    std::vector<int> piece_of(10, -1);
    parallel_for(pool, 10, 4, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i)
            piece_of[static_cast<std::size_t>(i)] = static_cast<int>(begin);
    });
    EXPECT_EQ(piece_of, (std::vector<int>{0, 0, 0, 0, 4, 4, 4, 4, 8, 8}));
}

TEST(ThreadPool, ATaskThatCallsItsOwnPoolIsAnErrorAndNotADeadlock) {
    ThreadPool pool(2);
    EXPECT_THROW(pool.for_each(4, [&](std::int64_t) { pool.for_each(4, [](std::int64_t) {}); }),
                 InvalidArgument);
    int after = 0;
    pool.for_each(1, [&](std::int64_t) { ++after; });
    EXPECT_EQ(after, 1);
}

}  // namespace
}  // namespace assay
