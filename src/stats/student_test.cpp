// Student's t distribution against closed forms.
#include "stats/student.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "base/error.h"

namespace assay {
namespace {

TEST(Student, OneDegreeOfFreedomIsTheCauchyDistribution) {
    for (double t : {-3.0, 0.0, 0.5, 12.7})
        EXPECT_NEAR(student_upper_tail(t, 1), 0.5 - std::atan(t) / std::numbers::pi, 1e-14);
}

TEST(Student, TwoDegreesOfFreedomHaveTheirClosedForm) {
    for (double t : {-3.0, 0.0, 0.5, 12.7})
        EXPECT_NEAR(student_upper_tail(t, 2), 0.5 - t / (2 * std::sqrt(2 + t * t)), 1e-14);
}

TEST(Student, InfinityIsAnEnd) {
    const double infinity = std::numeric_limits<double>::infinity();
    EXPECT_EQ(student_upper_tail(infinity, 3), 0);
    EXPECT_EQ(student_upper_tail(-infinity, 3), 1);
}

TEST(Student, TheQuantileUndoesTheTail) {
    for (double t : {-2.0, 0.0, 3.5})
        EXPECT_NEAR(student_quantile(1 - student_upper_tail(t, 4.5), 4.5), t, 1e-9);
}

TEST(Student, NanAndImpossibleDegreesAreRefused) {
    EXPECT_THROW(student_upper_tail(std::nan(""), 3), NumericError);
    EXPECT_THROW(student_upper_tail(1, 0), InvalidArgument);
    EXPECT_THROW(student_quantile(1, 2), InvalidArgument);
}

}  // namespace
}  // namespace assay
