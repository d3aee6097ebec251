// Which of many tests hold, with few false ones among them.
#pragma once

#include <span>
#include <vector>

namespace assay {

struct Discoveries {
    std::vector<bool> rejected;    // test i's null hypothesis is rejected: q_values[i] <= rate
    std::vector<double> q_values;  // the least rate at which it would be, 0 to 1
};

// Step-up procedure over m tests: with p_(1) <= … <= p_(m),
//   q_(i) = min over j >= i of min(1, m p_(j) / j)
// Among all rejected, the expected share of true null hypotheses is at most `rate` where the tests are
// independent or positively dependent. Shape: p_values, rejected, q_values [m], in one order.
// Throws: NumericError for a NaN, InvalidArgument for a p-value outside [0, 1] or a rate outside (0, 1).
// Source: Benjamini & Hochberg 1995, "Controlling the False Discovery Rate"; dependence: Benjamini &
// Yekutieli 2001.
Discoveries benjamini_hochberg(std::span<const double> p_values, double rate);

}  // namespace assay
