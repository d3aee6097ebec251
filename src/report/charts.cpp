// Drawing the line and point figures.
#include "report/charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "report/format.h"
#include "report/html_text.h"
#include "report/log_axis.h"

namespace assay {
namespace {

constexpr double kWidth = 560;
constexpr double kLeft = 58, kRight = 548, kTop = 12, kBottom = 282;
constexpr std::array<const char*, 5> kDashes = {"none", "7 3", "2 3", "9 3 2 3", "5 2"};

std::string text_svg(double x, double y, std::string_view anchor, std::string_view text) {
    return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor,
                       html_escape(text));
}

std::string line_svg(std::string_view css, double x1, double y1, double x2, double y2) {
    return fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", css,
                       x1, y1, x2, y2);
}

std::string x_tick(double x, std::string_view label) {
    return line_svg("axis", x, kBottom, x, kBottom + 4) + text_svg(x, kBottom + 17, "middle", label);
}

std::string y_axis(const LogAxis& axis, std::string_view title) {
    std::string svg =
        fmt::format("<text transform=\"translate(12 {:.0f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
                    (kTop + kBottom) / 2, title);
    for (double tick : axis.ticks()) {
        const double y = *axis.at(tick);
        svg += line_svg("grid", kLeft, y, kRight, y) + text_svg(kLeft - 7, y + 4, "end", format_tick(tick));
    }
    return svg + line_svg("axis", kLeft, kBottom, kRight, kBottom);
}

std::string figure(double height, std::string_view label, const std::string& body) {
    return fmt::format("<svg role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {:.0f} {:.0f}\">\n{}</svg>\n",
                       label, kWidth, height, body);
}

// Blocks are placed on a linear axis from the first to the last one that any line reaches.
struct BlockAxis {
    double first = 0, last = 1;

    double at(double block) const {
        return last > first ? kLeft + 8 + (block - first) / (last - first) * (kRight - kLeft - 16)
                            : (kLeft + kRight) / 2;
    }
};

double first_block(const SensitivityLinear& linear) {
    return static_cast<double>(linear.block.value_or(0));
}

BlockAxis block_axis(const std::vector<const SensitivityLinear*>& shown) {
    BlockAxis axis{.first = first_block(*shown[0]), .last = first_block(*shown[0])};
    for (const SensitivityLinear* linear : shown) {
        axis.first = std::min(axis.first, first_block(*linear));
        axis.last =
            std::max(axis.last, first_block(*linear) + static_cast<double>(linear->propagation.size() - 1));
    }
    return axis;
}

std::string block_ticks(const BlockAxis& axis) {
    constexpr int kMost = 10;
    const double step = std::max(1.0, std::ceil((axis.last - axis.first) / kMost));
    std::string svg;
    for (int i = 0; i <= kMost && axis.first + i * step <= axis.last; ++i)
        svg += x_tick(axis.at(axis.first + i * step), fmt::format("{:.0f}", axis.first + i * step));
    return svg + text_svg((kLeft + kRight) / 2, kBottom + 36, "middle", "after block");
}

std::string propagation_line(const SensitivityLinear& linear, std::size_t series, const BlockAxis& x,
                             const LogAxis& y) {
    std::string path, points;
    bool pen_down = false;
    for (std::size_t i = 0; i < linear.propagation.size(); ++i) {
        const auto place = y.at(linear.propagation[i]);
        const double block = first_block(linear) + static_cast<double>(i);
        if (place) {
            path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", x.at(block), *place);
            points += fmt::format(
                "<circle class=\"fill{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.4\"><title>{} after block "
                "{:.0f}: {}</title></circle>\n",
                series, x.at(block), *place, html_escape(linear.name), block,
                format_significant(linear.propagation[i], 4));
        }
        pen_down = place.has_value();
    }
    return fmt::format("<path class=\"line{}\" stroke-dasharray=\"{}\" d=\"{}\"/>\n{}", series,
                       kDashes[series % kDashes.size()], path, points);
}

std::string series_key(const SensitivityLinear& linear, std::size_t series) {
    const double y = kBottom + 58 + 18 * static_cast<double>(series);
    return fmt::format(
               "<line class=\"line{0}\" stroke-dasharray=\"{1}\" x1=\"{2:.1f}\" x2=\"{3:.1f}\" "
               "y1=\"{4:.1f}\" "
               "y2=\"{4:.1f}\"/>\n",
               series, kDashes[series % kDashes.size()], kLeft, kLeft + 34, y - 4) +
           text_svg(kLeft + 42, y, "start", fmt::format("{}. {}", linear.rank, linear.name));
}

}  // namespace

std::string propagation_svg(const std::vector<SensitivityLinear>& linears, std::size_t lines) {
    std::vector<const SensitivityLinear*> shown;
    std::vector<double> values;
    for (const SensitivityLinear& linear : linears) {
        if (linear.propagation.empty() || shown.size() == std::min(lines, kDashes.size())) continue;
        shown.push_back(&linear);
        values.insert(values.end(), linear.propagation.begin(), linear.propagation.end());
    }
    if (shown.empty()) return "";
    const BlockAxis x = block_axis(shown);
    const LogAxis y(values, {.low = kBottom, .high = kTop});
    std::string body = y_axis(y, "relative error of the hidden state") + block_ticks(x);
    for (std::size_t i = 0; i < shown.size(); ++i)
        body += propagation_line(*shown[i], i, x, y) + series_key(*shown[i], i);
    return figure(kBottom + 52 + 18 * static_cast<double>(shown.size()),
                  "Growth of the error through the blocks", body);
}

std::string weight_error_svg(const DiagnoseResult& result) {
    std::unordered_map<std::string, double> errors;
    for (const WeightsLinear& linear : result.weights.linears)
        if (linear.relative_error) errors.emplace(linear.name, *linear.relative_error);
    const auto& worst_names = result.shares.worst_5_percent.linears;
    const std::unordered_set<std::string> worst(worst_names.begin(), worst_names.end());

    std::vector<double> across, up;
    for (const SensitivityLinear& linear : result.sensitivity.linears)
        if (const auto error = errors.find(linear.name); error != errors.end()) {
            across.push_back(error->second);
            up.push_back(linear.kl);
        }
    if (across.empty()) return "";
    const LogAxis x(across, {.low = kLeft, .high = kRight});
    const LogAxis y(up, {.low = kBottom, .high = kTop});
    std::string body = y_axis(y, "damage, nats per token"), marked;
    for (double tick : x.ticks()) body += x_tick(*x.at(tick), format_tick(tick));
    for (const SensitivityLinear& linear : result.sensitivity.linears) {
        const auto error = errors.find(linear.name);
        const auto cx = error == errors.end() ? std::nullopt : x.at(error->second);
        const auto cy = y.at(linear.kl);
        if (!cx || !cy) continue;
        const bool is_worst = worst.count(linear.name) > 0;
        (is_worst ? marked : body) += fmt::format(
            "<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\"><title>{}: weight error {}, damage {} "
            "nats</title></circle>\n",
            is_worst ? "dot worst" : "dot", *cx, *cy, is_worst ? 4.5 : 3.2, html_escape(linear.name),
            format_significant(error->second), format_significant(linear.kl));
    }
    body +=
        marked + text_svg((kLeft + kRight) / 2, kBottom + 36, "middle", "relative weight error") +
        fmt::format(
            "<circle class=\"dot worst\" cx=\"{0}\" cy=\"{1}\" r=\"4.5\"/><circle class=\"dot\" cx=\"{2}\" "
            "cy=\"{1}\" r=\"3.2\"/>\n",
            kLeft + 8, kBottom + 54, kLeft + 250) +
        text_svg(kLeft + 20, kBottom + 58, "start", "the worst 5 % of linears by damage") +
        text_svg(kLeft + 262, kBottom + 58, "start", "all others");
    return figure(kBottom + 70, "Weight error and damage of each linear", body);
}

}  // namespace assay
