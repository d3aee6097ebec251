// Logarithmic axes.
#include "report/log_axis.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace assay {
namespace {

constexpr double kLeastLength = 0.02;  // decades; equal values still get an axis
constexpr std::size_t kEnoughTicks = 3;
constexpr int kMostTicks = 8;

bool has_place(double value) {
    return std::isfinite(value) && value > 0;
}

// Multiples of powers of ten, from coarse to fine.
const std::array<std::vector<double>, 4>& tick_steps() {
    static const std::array<std::vector<double>, 4> steps = {
        {{1}, {1, 2, 5}, {1, 1.5, 2, 3, 5, 7}, {1, 1.1, 1.2, 1.3, 1.4, 1.6, 1.8, 2,   2.2, 2.5, 2.8, 3,  3.5,
                                                4, 4.5, 5,   5.5, 6,   6.5, 7,   7.5, 8,   8.5, 9,   9.5}}};
    return steps;
}

std::vector<double> ticks_between(double low, double high, const std::vector<double>& multiples, int every) {
    std::vector<double> ticks;
    for (int decade = static_cast<int>(std::floor(low)); decade <= static_cast<int>(std::ceil(high));
         decade += every)
        for (double multiple : multiples) {
            const double place = decade + std::log10(multiple);
            if (place >= low && place <= high) ticks.push_back(multiple * std::pow(10.0, decade));
        }
    return ticks;
}

}  // namespace

LogAxis::LogAxis(const std::vector<double>& values, Pixels pixels, double margin, double decades)
    : pixels_(pixels) {
    double least = INFINITY, most = 0;
    for (double value : values) {
        if (!has_place(value)) continue;
        least = std::min(least, value);
        most = std::max(most, value);
    }
    high_ = most > 0 ? std::log10(most) : 0;
    low_ = most > 0 ? std::max(std::log10(least), high_ - decades) : -1;
    const double extra = std::max(margin * (high_ - low_), high_ - low_ < kLeastLength ? kLeastLength : 0);
    low_ -= extra;
    high_ += extra;
}

std::optional<double> LogAxis::at(double value) const {
    if (!has_place(value)) return std::nullopt;
    const double t = std::clamp((std::log10(value) - low_) / (high_ - low_), 0.0, 1.0);
    return pixels_.low + t * (pixels_.high - pixels_.low);
}

double LogAxis::low_value() const {
    return std::pow(10.0, low_);
}
double LogAxis::high_value() const {
    return std::pow(10.0, high_);
}

std::vector<double> LogAxis::ticks() const {
    const int every = 1 + static_cast<int>((high_ - low_) / kMostTicks);
    std::vector<double> ticks;
    for (const auto& multiples : tick_steps()) {
        ticks = ticks_between(low_, high_, multiples, every);
        if (ticks.size() >= kEnoughTicks) break;
    }
    return ticks;
}

}  // namespace assay
