#include "stats/spread.h"

#include <cmath>
#include <initializer_list>

namespace assay {

Spread combined_spread(const VariancePart& a, const VariancePart& b) {
    const double variance = a.variance + b.variance;
    if (!(variance > 0)) return {};
    double parts = 0;
    for (const VariancePart* part : {&a, &b}) {
        if (part->variance > 0) parts += part->variance * part->variance / part->freedom;
    }
    return {std::sqrt(variance), variance * variance / parts};
}

}  // namespace assay
