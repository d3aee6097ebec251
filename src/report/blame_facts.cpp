#include "report/blame_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "report/format.h"

namespace assay {
namespace {

constexpr std::size_t kNamedParts = 3;
constexpr double kLeastShare = 0.01;  // of a part that is named

// "12: 93 %, 5: 2.1 %"
std::string largest_parts(std::vector<std::pair<std::string, double>> parts) {
    std::stable_sort(parts.begin(), parts.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    std::string text;
    for (std::size_t i = 0; i < std::min(kNamedParts, parts.size()); ++i) {
        if (!(parts[i].second >= kLeastShare)) break;
        text += (i ? ", " : "") + parts[i].first + ": " + format_percent(parts[i].second);
    }
    return text.empty() ? std::string(kNoNumber) : text;
}

std::string largest_of(const std::vector<PartShare>& shares) {
    std::vector<std::pair<std::string, double>> parts;
    for (const PartShare& s : shares) parts.emplace_back(std::to_string(s.index), s.share);
    return largest_parts(std::move(parts));
}

std::string largest_of(const std::vector<HeadShare>& shares) {
    std::vector<std::pair<std::string, double>> parts;
    for (const HeadShare& s : shares) parts.emplace_back(fmt::format("{} {}", s.part, s.head), s.share);
    return largest_parts(std::move(parts));
}

}  // namespace

TextRows part_rows(const std::vector<SensitivityLinear>& linears, std::size_t most) {
    TextRows table{{"linear", "heads", "output rows", "input channels"}, {}};
    for (const SensitivityLinear& linear : linears) {
        if (!linear.parts || table.rows.size() == most) continue;
        table.rows.push_back({linear.name, largest_of(linear.parts->heads), largest_of(linear.parts->rows),
                              largest_of(linear.parts->columns)});
    }
    return table;
}

TextRows head_rows(const std::vector<SensitivityLinear>& linears, std::size_t most) {
    struct Head {
        std::string name;
        double kl, share;
    };
    std::vector<Head> heads;
    for (const SensitivityLinear& linear : linears) {
        if (!linear.parts) continue;
        for (const HeadShare& h : linear.parts->heads)
            heads.push_back({fmt::format("block {}, {} head {}", linear.block.value_or(-1), h.part, h.head),
                             linear.kl * h.share, linear.share_of_damage * h.share});
    }
    std::stable_sort(heads.begin(), heads.end(), [](const Head& a, const Head& b) { return a.kl > b.kl; });
    TextRows table{{"attention head", "KL, nats", "share"}, {}};
    for (std::size_t i = 0; i < std::min(most, heads.size()); ++i)
        table.rows.push_back(
            {heads[i].name, format_significant(heads[i].kl), format_percent(heads[i].share)});
    return table;
}

TextRows block_rows(const BlameResult& result, std::size_t most) {
    std::vector<BlockDamage> blocks = result.blocks;
    std::stable_sort(blocks.begin(), blocks.end(),
                     [](const BlockDamage& a, const BlockDamage& b) { return a.kl > b.kl; });
    TextRows table{{"block", "KL, nats", "share"}, {}};
    for (std::size_t i = 0; i < std::min(most, blocks.size()); ++i)
        table.rows.push_back({std::to_string(blocks[i].block), format_significant(blocks[i].kl),
                              format_percent(blocks[i].share_of_damage)});
    return table;
}

WeightsResult weights_of(const BlameResult& result) {
    constexpr std::string_view kSuffix = ".weight";
    WeightsResult weights;
    for (const TensorDifference& d : result.differences) {
        WeightsLinear linear;
        linear.name = d.name.ends_with(kSuffix) ? d.name.substr(0, d.name.size() - kSuffix.size()) : d.name;
        linear.relative_error = d.relative_error;
        if (d.relative_error && *d.relative_error > 0) linear.sqnr_db = -20 * std::log10(*d.relative_error);
        weights.linears.push_back(std::move(linear));
    }
    return weights;
}

}  // namespace assay
