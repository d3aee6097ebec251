// Standard errors that have two independent parts.
#pragma once

namespace assay {

// An estimated variance with its degrees of freedom.
struct VariancePart {
    double variance = 0;
    double freedom = 1;
};

struct Spread {
    double error = 0;  // √(a + b)
    double freedom = 1;
};

// error² = a + b, freedom = (a + b)² / (a²/f_a + b²/f_b); a part that is 0 counts for nothing, and both 0
// give an error of 0 with one degree of freedom.
// Source: Satterthwaite 1946, "An Approximate Distribution of Estimates of Variance Components".
Spread combined_spread(const VariancePart& a, const VariancePart& b);

}  // namespace assay
