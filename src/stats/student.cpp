#include "stats/student.h"

#include <boost/math/distributions/students_t.hpp>
#include <cmath>

#include "base/error.h"

namespace assay {

namespace {

void check(double argument, double degrees_of_freedom) {
    if (std::isnan(argument) || std::isnan(degrees_of_freedom))
        throw NumericError("Student's distribution: NaN");
    if (!(degrees_of_freedom > 0))
        throw InvalidArgument("Student's distribution: degrees of freedom are positive");
}

}  // namespace

double student_upper_tail(double t, double degrees_of_freedom) {
    check(t, degrees_of_freedom);
    if (std::isinf(t)) return t > 0 ? 0 : 1;
    return boost::math::cdf(boost::math::complement(boost::math::students_t(degrees_of_freedom), t));
}

double student_quantile(double level, double degrees_of_freedom) {
    check(level, degrees_of_freedom);
    if (!(level > 0 && level < 1)) throw InvalidArgument("Student's distribution: a level lies in (0, 1)");
    return boost::math::quantile(boost::math::students_t(degrees_of_freedom), level);
}

}  // namespace assay
