// Drawing the maps of activations.
#include "report/activation_maps.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <tuple>
#include <vector>

#include "report/activation_facts.h"
#include "report/format.h"
#include "report/html_text.h"
#include "report/viridis.h"

namespace assay {
namespace {

constexpr double kWidth = 1080, kGap = 30, kMapColumns = 3, kTitle = 22, kMapGap = 14;
constexpr double kMapWidth = (kWidth - (kMapColumns - 1) * kGap) / kMapColumns;
constexpr double kLegendHeight = 46, kDecades = 3;
constexpr std::size_t kMostMaps = 24, kMostBlocks = 200, kMostCells = 64, kLevels = 9;

struct MapRow {
    const ActivationsLinear* linear;
    const ActivationSide* side;
};

// Of one projection's inputs or outputs, by block.
struct ChannelMap {
    std::string title;
    std::vector<MapRow> rows;
};

std::vector<ChannelMap> maps_of(const ActivationsResult& result) {
    using Key = std::tuple<std::size_t, std::string, SideOfLinear::Kind>;  // inputs first
    std::map<Key, ChannelMap> maps;
    for (const ActivationsLinear& linear : result.linears) {
        for (const SideOfLinear& of : sides_of(linear)) {
            const ActivationSide& side = of.side();
            if (side.map.empty() || !(side.mean_abs > 0)) continue;
            ChannelMap& map =
                maps[{usual_place_of_projection(linear.projection), linear.projection, of.kind}];
            map.title = linear.projection + " " + of.name();
            if (map.rows.size() < kMostBlocks) map.rows.push_back({&linear, &side});
        }
    }
    std::vector<ChannelMap> list;
    for (auto& [key, map] : maps) {
        if (list.size() < kMostMaps) list.push_back(std::move(map));
    }
    return list;
}

// From 0 to kLevels - 1.
std::size_t level_of(double value, double mean_abs) {
    const double t = std::log10(value / mean_abs) / kDecades;
    if (!(t > 0)) return 0;
    return std::min(kLevels - 1, static_cast<std::size_t>(t * kLevels));
}

// One path for each colour; neighbours of one colour are one rectangle. Units: cells and rows.
std::string cells_svg(const ChannelMap& map) {
    std::array<std::string, kLevels> paths;
    for (std::size_t r = 0; r < map.rows.size(); ++r) {
        const ActivationSide& side = *map.rows[r].side;
        const std::size_t cells = std::min(kMostCells, side.map.size());
        for (std::size_t first = 0; first < cells;) {
            const std::size_t level = level_of(side.map[first], side.mean_abs);
            std::size_t end = first + 1;
            while (end < cells && level_of(side.map[end], side.mean_abs) == level) ++end;
            paths[level] += fmt::format("M{} {}h{}v1h-{}z", first, r, end - first, end - first);
            first = end;
        }
    }
    std::string svg;
    for (std::size_t level = 0; level < kLevels; ++level) {
        if (paths[level].empty()) continue;
        svg += fmt::format("<path style=\"fill:{};stroke:none\" d=\"{}\"/>\n",
                           viridis(static_cast<double>(level) / (kLevels - 1)), paths[level]);
    }
    return svg;
}

// What the pointer finds on a row.
std::string titles_svg(const ChannelMap& map, double cells) {
    std::string svg;
    for (std::size_t r = 0; r < map.rows.size(); ++r) {
        const ActivationSide& side = *map.rows[r].side;
        svg += fmt::format(
            "<rect y=\"{}\" width=\"{}\" height=\"1\" fill-opacity=\"0\"><title>{}: max |x| {}, {} times the "
            "mean</title></rect>\n",
            r, cells, html_escape(map.rows[r].linear->name), format_significant(side.max),
            side.ratio ? format_significant(*side.ratio) : std::string(kNoNumber));
    }
    return svg;
}

double row_height(const ChannelMap& map) {
    return std::clamp(180 / static_cast<double>(map.rows.size()), 1.5, 12.0);
}

double map_height(const ChannelMap& map) {
    return kTitle + row_height(map) * static_cast<double>(map.rows.size());
}

std::string map_svg(const ChannelMap& map, double x, double y) {
    std::size_t cells = 1;
    for (const MapRow& row : map.rows) cells = std::max(cells, std::min(kMostCells, row.side->map.size()));
    const auto across = static_cast<double>(cells);
    return fmt::format(
               "<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n<g transform=\"translate({:.1f} {:.1f}) "
               "scale({:.4f} {:.4f})\" shape-rendering=\"crispEdges\">\n",
               x, y + kTitle - 7, html_escape(map.title), x, y + kTitle, kMapWidth / across,
               row_height(map)) +
           cells_svg(map) + titles_svg(map, across) + "</g>\n";
}

std::string legend_svg(double y) {
    constexpr double kStep = 40;
    std::string svg;
    for (std::size_t level = 0; level < kLevels; ++level) {
        svg += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"12\" fill=\"{}\"/>\n",
                           static_cast<double>(level) * kStep, y, kStep,
                           viridis(static_cast<double>(level) / (kLevels - 1)));
    }
    for (int decade = 0; decade <= static_cast<int>(kDecades); ++decade) {
        svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n",
                           decade / kDecades * kLevels * kStep, y + 28, decade == 0 ? "start" : "middle",
                           std::lround(std::pow(10, decade)));
    }
    return svg + fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">max |x| of the channels / mean |x|</text>\n",
                             kLevels * kStep + 24, y + 11);
}

}  // namespace

std::string activation_maps_svg(const ActivationsResult& result) {
    const auto maps = maps_of(result);
    if (maps.empty()) return "";
    std::string body;
    double y = 4, row_bottom = 4;
    for (std::size_t i = 0; i < maps.size(); ++i) {
        const auto column = static_cast<double>(i % static_cast<std::size_t>(kMapColumns));
        if (column == 0) y = row_bottom;
        body += map_svg(maps[i], column * (kMapWidth + kGap), y);
        row_bottom = std::max(row_bottom, y + map_height(maps[i]) + kMapGap);
    }
    body += legend_svg(row_bottom + 8);
    return fmt::format(
        "<svg class=\"heatmap\" role=\"img\" aria-label=\"Largest activations by channel and block\" "
        "viewBox=\"0 0 {:.0f} {:.0f}\">\n{}</svg>\n",
        kWidth, row_bottom + kLegendHeight, body);
}

}  // namespace assay
