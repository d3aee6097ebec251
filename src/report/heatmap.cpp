// Drawing the map of damage.
#include "report/heatmap.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "report/format.h"
#include "report/html_text.h"
#include "report/log_axis.h"
#include "report/viridis.h"

namespace assay {
namespace {

constexpr double kWidth = 1080, kLabelWidth = 104, kTop = 4;
constexpr double kRowHeight = 27, kMostCellWidth = 38, kGap = 1.5;
constexpr double kLegendWidth = 320, kLegendHeight = 12;
constexpr double kColourDecades = 4;  // what lies further below the worst is painted as the least

// Cells by row (projection) and column (block).
struct Grid {
    std::vector<std::string> rows;
    std::vector<std::int64_t> blocks;
    std::map<std::pair<std::string, std::int64_t>, const SensitivityLinear*> cells;
    std::vector<const SensitivityLinear*> outside;
};

Grid grid_of(const std::vector<SensitivityLinear>& linears) {
    Grid grid;
    for (const SensitivityLinear& linear : linears) {
        if (!linear.block) {
            grid.outside.push_back(&linear);
            continue;
        }
        grid.rows.push_back(linear.projection);
        grid.blocks.push_back(*linear.block);
        const SensitivityLinear*& cell = grid.cells[{linear.projection, *linear.block}];
        if (cell == nullptr || cell->kl < linear.kl) cell = &linear;
    }
    std::sort(grid.rows.begin(), grid.rows.end(), [](const std::string& a, const std::string& b) {
        return std::pair(usual_place_of_projection(a), a) < std::pair(usual_place_of_projection(b), b);
    });
    grid.rows.erase(std::unique(grid.rows.begin(), grid.rows.end()), grid.rows.end());
    std::sort(grid.blocks.begin(), grid.blocks.end());
    grid.blocks.erase(std::unique(grid.blocks.begin(), grid.blocks.end()), grid.blocks.end());
    return grid;
}

std::string cell_svg(const SensitivityLinear& linear, const LogAxis& scale, double x, double y,
                     double width) {
    const auto t = scale.at(linear.kl);
    const std::string fill = t ? fmt::format("fill=\"{}\"", viridis(*t)) : "class=\"none\"";
    return fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"2\" {}><title>{}: {} nats, "
        "95 % {}, "
        "rank {}{}</title></rect>\n",
        x, y, std::max(0.5, width - kGap), kRowHeight - kGap, fill, html_escape(linear.name),
        format_significant(linear.kl, 4), format_interval(linear.kl_ci95), linear.rank,
        linear.category.empty() ? "" : ", " + html_escape(linear.category));
}

std::string label_svg(double x, double y, std::string_view anchor, std::string_view text) {
    return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor,
                       html_escape(text));
}

std::string block_labels(const Grid& grid, double cell_width, double y) {
    const auto every = static_cast<std::size_t>(std::ceil(26 / cell_width));
    std::string svg;
    for (std::size_t c = 0; c < grid.blocks.size(); c += every == 1 ? 1 : std::max<std::size_t>(5, every))
        svg += label_svg(kLabelWidth + (static_cast<double>(c) + 0.5) * cell_width, y, "middle",
                         std::to_string(grid.blocks[c]));
    return svg + label_svg(kLabelWidth - 10, y, "end", "block");
}

std::string legend_svg(const LogAxis& scale, double y) {
    const double left = kWidth - kLegendWidth - 30;
    std::string svg =
        label_svg(left - 12, y + kLegendHeight - 2, "end", "damage: mean KL, nats per token (log scale)");
    svg += "<defs><linearGradient id=\"damage-colours\">";
    for (std::size_t i = 0; i < kViridis.size(); ++i) {
        const double t = static_cast<double>(i) / (kViridis.size() - 1);
        svg += fmt::format("<stop offset=\"{}\" stop-color=\"{}\"/>", t, viridis(t));
    }
    svg += fmt::format(
        "</linearGradient></defs>\n<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\" "
        "fill=\"url(#damage-colours)\"/>\n",
        left, y, kLegendWidth, kLegendHeight);
    for (double tick : scale.ticks()) {
        const double x = left + *scale.at(tick) * kLegendWidth;
        svg +=
            fmt::format("<line class=\"axis\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>",
                        x, y + kLegendHeight, y + kLegendHeight + 4);
        svg += label_svg(x, y + kLegendHeight + 16, "middle", format_tick(tick));
    }
    return svg;
}

std::string outside_svg(const SensitivityLinear& linear, const LogAxis& scale, double cell_width, double y) {
    return label_svg(kLabelWidth - 10, y + kRowHeight * 0.64, "end", linear.projection) +
           cell_svg(linear, scale, kLabelWidth, y, cell_width) +
           label_svg(kLabelWidth + cell_width + 8, y + kRowHeight * 0.64, "start",
                     format_plus_minus(linear.kl, linear.kl_ci95));
}

}  // namespace

std::string heatmap_svg(const std::vector<SensitivityLinear>& linears) {
    const Grid grid = grid_of(linears);
    std::vector<double> damages;
    for (const SensitivityLinear& linear : linears) damages.push_back(linear.kl);
    const LogAxis scale(damages, {.low = 0, .high = 1}, 0, kColourDecades);
    const auto columns = static_cast<double>(std::max<std::size_t>(1, grid.blocks.size()));
    const double cell_width = std::min(kMostCellWidth, (kWidth - kLabelWidth) / columns);

    std::string body;
    double y = kTop;
    for (const std::string& row : grid.rows) {
        body += label_svg(kLabelWidth - 10, y + kRowHeight * 0.64, "end", row);
        for (std::size_t c = 0; c < grid.blocks.size(); ++c)
            if (const auto cell = grid.cells.find({row, grid.blocks[c]}); cell != grid.cells.end())
                body += cell_svg(*cell->second, scale, kLabelWidth + static_cast<double>(c) * cell_width, y,
                                 cell_width);
        y += kRowHeight;
    }
    if (!grid.rows.empty()) body += block_labels(grid, cell_width, y + 15);
    y += grid.rows.empty() ? 0 : 30;
    const double legend_y = y;
    for (const SensitivityLinear* linear : grid.outside) {
        body += outside_svg(*linear, scale, kMostCellWidth, y);
        y += kRowHeight;
    }
    body += legend_svg(scale, legend_y + 4);
    const double height = std::max(y, legend_y + 36) + 4;
    return fmt::format(
        "<svg class=\"heatmap\" role=\"img\" aria-label=\"Damage of each linear by block and projection\" "
        "viewBox=\"0 0 "
        "{:.0f} {:.0f}\">\n{}</svg>\n",
        kWidth, height, body);
}

}  // namespace assay
