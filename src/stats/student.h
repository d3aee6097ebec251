// Student's t distribution.
#pragma once

namespace assay {

// P(T > t) of a t-distributed T. Throws: NumericError for NaN, InvalidArgument unless
// degrees_of_freedom > 0. Source: Student 1908, "The Probable Error of a Mean".
double student_upper_tail(double t, double degrees_of_freedom);

// The t with P(T <= t) = level, 0 < level < 1. Throws as above; InvalidArgument for another level.
double student_quantile(double level, double degrees_of_freedom);

}  // namespace assay
