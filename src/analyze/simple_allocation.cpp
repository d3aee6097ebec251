#include "analyze/simple_allocation.h"

#include <algorithm>
#include <numeric>

namespace assay {

std::vector<bool> allocate_larger(std::span<const FormatChoice> linears, std::int64_t budget) {
    const auto gain_per_byte = [&](std::size_t i) {
        const FormatChoice& l = linears[i];
        return (l.damage_small - l.damage_large) /
               static_cast<double>(std::max<std::int64_t>(1, l.bytes_large - l.bytes_small));
    };
    std::vector<std::size_t> order(linears.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return gain_per_byte(a) > gain_per_byte(b); });
    for (const FormatChoice& l : linears) budget -= l.bytes_small;
    std::vector<bool> larger(linears.size(), false);
    for (std::size_t i : order) {
        const std::int64_t more = linears[i].bytes_large - linears[i].bytes_small;
        if (!(gain_per_byte(i) > 0) || more > budget) continue;
        larger[i] = true;
        budget -= more;
    }
    return larger;
}

}  // namespace assay
