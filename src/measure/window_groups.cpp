#include "measure/window_groups.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/checked.h"

namespace assay {
namespace {

// Groups that are kept: at least so many, where that leaves them so many positions (of all runs together)
// that reading the weights again for each costs little.
constexpr std::int64_t kKeptGroups = 8, kKeptPositions = 8192;

std::size_t kept_group(std::span<const EvaluationWindow> windows, std::int64_t positions) {
    return static_cast<std::size_t>(
        std::max(ceil_div(std::ssize(windows), kKeptGroups), ceil_div(kKeptPositions, positions)));
}

}  // namespace

void for_each_group(
    const Engine& engine, std::span<const EvaluationWindow> windows, std::size_t most, std::int64_t runs,
    const std::string& kind,
    const std::function<std::vector<double>(std::span<const EvaluationWindow> group)>& measure,
    const std::function<void(NumberReader& numbers, std::int64_t first)>& absorb, std::int64_t rows) {
    PartCache* parts = engine.parts;
    const std::int64_t positions = (rows > 0 ? rows : longest_window(windows)) * runs;
    if (parts != nullptr) most = std::min(most, kept_group(windows, positions));
    const std::string name = parts != nullptr ? parts->next(kind) : "";
    for (std::size_t first = 0; first < windows.size(); first += most) {
        const std::size_t count = std::min(most, windows.size() - first);
        const std::string part = fmt::format("{} windows {} to {}", name, first, first + count);
        std::optional<std::vector<double>> numbers;
        if (parts != nullptr) numbers = parts->find(part);
        if (numbers) {
            engine.progress.note(fmt::format("{}: finished in an earlier run", part));
        } else {
            numbers = measure(windows.subspan(first, count));
            if (parts != nullptr) parts->keep(part, *numbers);
        }
        NumberReader reader(*numbers);
        absorb(reader, static_cast<std::int64_t>(first));
    }
}

}  // namespace assay
