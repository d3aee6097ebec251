#include "report/weight_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "report/format.h"
#include "report/html_text.h"
#include "report/viridis.h"

namespace assay {
namespace {

constexpr double kWidth = 340, kLeft = 8, kRight = 332, kTop = 14, kBottom = 120, kHeight = 156;
constexpr double kMapHeight = 180;
constexpr std::size_t kLevels = 9, kMostCells = 64;

std::string text_svg(double x, double y, std::string_view anchor, std::string_view text) {
    return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor,
                       html_escape(text));
}

std::string figure(double height, const std::string& label, const std::string& body) {
    return fmt::format("<svg role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {:.0f} {:.0f}\">\n{}</svg>\n",
                       html_escape(label), kWidth, height, body);
}

// 0 for no weights, then 1 more for each power of ten.
double height_of(std::int64_t count) {
    return count > 0 ? 1 + std::log10(static_cast<double>(count)) : 0;
}

// A mark at a weight, where it lies among the bins.
std::string mark_svg(const WeightBins& bins, double weight, std::string_view label) {
    const double x = kLeft + (weight - bins.low) / (bins.high - bins.low) * (kRight - kLeft);
    if (!(x >= kLeft && x <= kRight)) return "";
    return fmt::format(
               "<line class=\"axis\" stroke-dasharray=\"3 3\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" "
               "y2=\"{2:.1f}\"/>\n",
               x, kTop, kBottom) +
           text_svg(x, kTop - 3, "middle", label);
}

std::string bars_svg(const WeightBins& bins) {
    const double most = height_of(*std::max_element(bins.counts.begin(), bins.counts.end()));
    const double step = (kRight - kLeft) / static_cast<double>(bins.counts.size());
    std::string path;
    for (std::size_t b = 0; b < bins.counts.size(); ++b) {
        const double height = most > 0 ? height_of(bins.counts[b]) / most * (kBottom - kTop) : 0;
        if (height <= 0) continue;
        path += fmt::format("M{:.1f} {:.1f}h{:.2f}v{:.1f}h-{:.2f}z", kLeft + static_cast<double>(b) * step,
                            kBottom - height, step, height, step);
    }
    return "<path style=\"stroke:none\" class=\"fill0\" d=\"" + path + "\"/>\n";
}

// Errors in powers of ten between the least and the largest of the map; from 0 to kLevels - 1.
class Levels {
  public:
    explicit Levels(const std::vector<double>& values) {
        for (double v : values) {
            if (!(v > 0) || !std::isfinite(v)) continue;
            low_ = high_ > 0 ? std::min(low_, v) : v;
            high_ = std::max(high_, v);
        }
    }
    std::size_t of(double value) const {
        if (!(value > low_) || !(high_ > low_)) return 0;
        const double t = std::log(value / low_) / std::log(high_ / low_);
        return std::min(kLevels - 1, static_cast<std::size_t>(t * kLevels));
    }
    double low() const { return low_; }
    double high() const { return high_; }

  private:
    double low_ = 0, high_ = 0;
};

// One path for each colour; neighbours of one colour are one rectangle.
std::string cells_svg(const WeightErrorMap& map, const Levels& levels) {
    const auto columns = static_cast<std::size_t>(map.columns);
    const double wide = (kRight - kLeft) / static_cast<double>(columns),
                 high = kMapHeight / static_cast<double>(map.rows);
    std::array<std::string, kLevels> paths;
    for (std::size_t r = 0; r < static_cast<std::size_t>(map.rows); ++r) {
        for (std::size_t first = 0; first < columns;) {
            const std::size_t level = levels.of(map.rms[r * columns + first]);
            std::size_t end = first + 1;
            while (end < columns && levels.of(map.rms[r * columns + end]) == level) ++end;
            const double width = static_cast<double>(end - first) * wide;
            paths[level] += fmt::format("M{:.1f} {:.1f}h{:.1f}v{:.2f}h-{:.1f}z",
                                        kLeft + static_cast<double>(first) * wide,
                                        static_cast<double>(r) * high, width, high, width);
            first = end;
        }
    }
    std::string svg;
    for (std::size_t level = 0; level < kLevels; ++level) {
        if (paths[level].empty()) continue;
        svg += fmt::format("<path shape-rendering=\"crispEdges\" style=\"fill:{};stroke:none\" d=\"{}\"/>\n",
                           viridis(static_cast<double>(level) / (kLevels - 1)), paths[level]);
    }
    return svg;
}

// A record from outside may say anything.
bool can_be_drawn(const WeightErrorMap& map) {
    constexpr auto kMost = static_cast<std::int64_t>(kMostCells);
    return map.rows > 0 && map.columns > 0 && map.rows <= kMost && map.columns <= kMost &&
           std::ssize(map.rms) == map.rows * map.columns;
}

}  // namespace

std::string histogram_svg(const WeightsLinear& linear) {
    if (!linear.histogram || linear.histogram->counts.empty() ||
        !(linear.histogram->high > linear.histogram->low))
        return "";
    const WeightBins& bins = *linear.histogram;
    std::string svg = bars_svg(bins);
    for (const int k : {-3, 3})
        svg += mark_svg(bins, linear.mean + k * linear.std, fmt::format("{}3σ", k < 0 ? "−" : "+"));
    svg += fmt::format("<line class=\"axis\" x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>\n", kLeft, kRight,
                       kBottom, kBottom);
    svg += text_svg(kLeft, kBottom + 15, "start", format_significant(bins.low));
    svg += text_svg((kLeft + kRight) / 2, kBottom + 15, "middle", format_significant(linear.mean));
    svg += text_svg(kRight, kBottom + 15, "end", format_significant(bins.high));
    const std::string beyond = bins.below + bins.above == 0
                                   ? "none beyond 6σ"
                                   : fmt::format("beyond 6σ: {} down to {}, {} up to {}",
                                                 format_count(bins.below), format_significant(linear.min),
                                                 format_count(bins.above), format_significant(linear.max));
    return figure(kHeight, "Distribution of the weights of " + linear.name,
                  svg + text_svg((kLeft + kRight) / 2, kBottom + 31, "middle", beyond));
}

std::string error_map_svg(const WeightsLinear& linear) {
    if (!linear.error_map || !can_be_drawn(*linear.error_map)) return "";
    const Levels levels(linear.error_map->rms);
    return figure(kMapHeight + 20, "Errors of " + linear.name,
                  cells_svg(*linear.error_map, levels) +
                      text_svg((kLeft + kRight) / 2, kMapHeight + 15, "middle",
                               fmt::format("RMS error {} to {}", format_significant(levels.low()),
                                           format_significant(levels.high()))));
}

}  // namespace assay
