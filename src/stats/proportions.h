// Shares of questions answered right, and whether two runs on the same questions differ.
#pragma once

#include <cstdint>

#include "base/interval.h"

namespace assay {

// 95 % interval of a proportion, p = successes / trials, z = 1.96:
//   (p + z²/2n ± z √(p(1 - p)/n + z²/4n²)) / (1 + z²/n)
// Throws: InvalidArgument unless 0 <= successes <= trials and trials > 0.
// Source: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference".
Interval wilson_interval(std::int64_t successes, std::int64_t trials);

// Two-sided exact p-value of "both runs are right equally often", given the pairs in which only the first or
// only the second run is right:  min(1, 2 P(X <= min(first, second))),  X ~ Binomial(first + second, ½); 1
// where both are 0. Throws: InvalidArgument for negative counts. Source: McNemar 1947, "Note on the sampling
// error of the difference between correlated proportions"; exact: Agresti 2002, "Categorical Data Analysis",
// section 10.1.
double mcnemar_p_value(std::int64_t first_only, std::int64_t second_only);

// 95 % interval of the second run's share less the first's, paired, of n questions, with b and c the counts
// as above plus one and m = n + 2:
//   (c - b)/m ± z √((b + c)/m - (c - b)²/m²) / √m
// Throws: InvalidArgument for negative counts or more of them than questions.
// Source: Bonett & Price 2012, "Adjusted Wald confidence interval for a difference of binomial proportions
// based on paired data".
Interval paired_difference_interval(std::int64_t first_only, std::int64_t second_only,
                                    std::int64_t questions);

}  // namespace assay
