// A closed interval of real numbers: confidence intervals, in the unit of what they stand beside.
#pragma once

namespace assay {

struct Interval {
    double low = 0;
    double high = 0;

    bool operator==(const Interval&) const = default;
};

}  // namespace assay
