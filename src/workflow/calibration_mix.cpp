#include "workflow/calibration_mix.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/error.h"

namespace assay {
namespace {

CalibrationShare parse_share(std::string_view text, std::string_view whole) {
    const std::size_t colon = text.rfind(':');
    double weight = 0;
    const std::string_view number = colon == std::string_view::npos ? "" : text.substr(colon + 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), weight);
    const bool read = error == std::errc{} && end == number.data() + number.size();
    if (colon == 0 || !read || !std::isfinite(weight) || !(weight > 0)) {
        throw InvalidArgument(fmt::format(
            "--calibration {}: \"{}\" is no SET:WEIGHT with a positive weight; a mix is written c4:2,code:1",
            whole, text));
    }
    return {std::string(text.substr(0, colon)), weight};
}

}  // namespace

std::vector<CalibrationShare> parse_calibration_mix(std::string_view text) {
    if (text.find(':') == std::string_view::npos) return {{std::string(text), 1}};
    std::vector<CalibrationShare> shares;
    for (std::size_t first = 0; first <= text.size();) {
        const std::size_t comma = std::min(text.find(',', first), text.size());
        shares.push_back(parse_share(text.substr(first, comma - first), text));
        first = comma + 1;
    }
    return shares;
}

std::vector<std::int64_t> windows_of_shares(std::int64_t samples, std::span<const CalibrationShare> shares) {
    const double sum =
        std::accumulate(shares.begin(), shares.end(), 0.0,
                        [](double s, const CalibrationShare& share) { return s + share.weight; });
    std::vector<std::int64_t> counts;
    std::vector<double> left;
    for (const CalibrationShare& share : shares) {
        const double exact = static_cast<double>(samples) * share.weight / sum;
        counts.push_back(static_cast<std::int64_t>(exact));
        left.push_back(exact - std::floor(exact));
    }
    std::vector<std::size_t> order(shares.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return left[a] > left[b]; });
    std::int64_t rest = samples - std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
    for (std::size_t i = 0; rest > 0; i = (i + 1) % order.size(), --rest) ++counts[order[i]];
    return counts;
}

SampledWindows interleave(std::vector<SampledWindows> shares) {
    SampledWindows out;
    std::vector<std::pair<double, std::vector<std::int32_t>>> placed;
    for (SampledWindows& share : shares) {
        const auto n = static_cast<double>(share.windows.size());
        for (std::size_t k = 0; k < share.windows.size(); ++k)
            placed.emplace_back((static_cast<double>(k) + 0.5) / n, std::move(share.windows[k]));
        out.bos = share.bos;
        out.documents_read += share.documents_read;
        out.repeated_documents += share.repeated_documents;
        out.joined_windows += share.joined_windows;
    }
    std::stable_sort(placed.begin(), placed.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [place, window] : placed) out.windows.push_back(std::move(window));
    return out;
}

}  // namespace assay
