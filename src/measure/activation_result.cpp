#include "measure/activation_result.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/checked.h"

namespace assay {
namespace {

constexpr double kLargestF16 = 65504, kLeastHeadroom = 4;
constexpr std::size_t kListedChannels = 8;
constexpr std::int64_t kMapCells = 64;

struct Channels {
    double mean_max = 0, energy = 0;
    std::vector<std::size_t> outliers;  // of all windows, or persistent; by max
};

// In more than half of the windows that can tell.
bool is_persistent(const TensorActivations& tensor, std::size_t channel) {
    return 2 * tensor.outlier_windows[channel] > tensor.windows;
}

// An outlier because of one token a window, in most of those windows.
bool is_of_tokens(const TensorActivations& tensor, std::size_t channel) {
    return 2 * tensor.token_windows[channel] > tensor.outlier_windows[channel];
}

Channels look_at_channels(const TensorActivations& tensor, ActivationSide& side) {
    Channels out;
    const auto& tops = tensor.channel_max;
    out.energy = std::accumulate(tensor.channel_energy.begin(), tensor.channel_energy.end(), 0.0);
    out.mean_max = std::accumulate(tops.begin(), tops.end(), 0.0) / static_cast<double>(tops.size());
    for (std::size_t c = 0; c < tops.size(); ++c) {
        const bool outlier = static_cast<double>(tops[c]) > kOutlierChannelFactor * out.mean_max;
        const bool persistent = is_persistent(tensor, c);
        if (outlier) {
            ++side.outlier_channels;
            side.outlier_energy_share += tensor.channel_energy[c] / out.energy;
        }
        if (persistent) ++side.persistent_channels;
        if (outlier || persistent) out.outliers.push_back(c);
    }
    std::stable_sort(out.outliers.begin(), out.outliers.end(),
                     [&](std::size_t a, std::size_t b) { return tops[a] > tops[b]; });
    return out;
}

std::vector<std::string> alerts_of(const TensorActivations& tensor, const Channels& channels,
                                   const ActivationSide& side) {
    std::vector<std::string> alerts;
    if (side.ratio.value_or(0) > kMassiveRatio) alerts.emplace_back("max_mean_ratio");
    if (std::any_of(channels.outliers.begin(), channels.outliers.end(),
                    [&](std::size_t c) { return is_persistent(tensor, c) && !is_of_tokens(tensor, c); }))
        alerts.emplace_back("persistent_channels");
    if (side.massive_tokens > 0) alerts.emplace_back("massive_tokens");
    const double headroom = side.f16_headroom.value_or(kLeastHeadroom);
    if (headroom < 1)
        alerts.emplace_back("f16_overflow");
    else if (headroom < kLeastHeadroom)
        alerts.emplace_back("f16_close");
    return alerts;
}

bool is_routed(const Model& model, const LinearItem& item) {
    return item.block >= 0 && model.block(item.block).ops[static_cast<std::size_t>(item.op)].routing >= 0;
}

std::vector<double> map_of(const std::vector<float>& channel_max) {
    const auto channels = std::ssize(channel_max);
    const std::int64_t run = std::max<std::int64_t>(1, ceil_div(channels, kMapCells));
    std::vector<double> cells;
    for (std::int64_t first = 0; first < channels; first += run) {
        const auto begin = channel_max.begin() + first;
        cells.push_back(
            static_cast<double>(*std::max_element(begin, begin + std::min(run, channels - first))));
    }
    return cells;
}

}  // namespace

ActivationSide activation_side(const TensorActivations& tensor) {
    ActivationSide side{.rows = tensor.rows(), .channels = std::ssize(tensor.channel_max)};
    if (side.rows == 0) return side;  // an expert that no token went to
    side.max = static_cast<double>(*std::max_element(tensor.channel_max.begin(), tensor.channel_max.end()));
    side.mean_abs = tensor.magnitudes / static_cast<double>(tensor.sums.count);
    side.mean = tensor.sums.mean();
    side.std = tensor.sums.std();
    side.kurtosis = tensor.sums.kurtosis();
    if (side.max > 0) {
        side.ratio = side.max / side.mean_abs;
        side.f16_headroom = kLargestF16 / side.max;
    }
    side.windows = tensor.windows;
    side.massive_tokens = tensor.massive_tokens;
    side.massive_windows = tensor.massive_windows;
    side.massive_first_tokens = tensor.massive_first_tokens;
    for (const MassiveToken& t : tensor.largest)
        side.massive.push_back({t.window, t.position, t.channel, t.value});
    const Channels channels = look_at_channels(tensor, side);
    side.mean_channel_max = channels.mean_max;
    for (std::size_t i = 0; i < std::min(kListedChannels, channels.outliers.size()); ++i) {
        const std::size_t c = channels.outliers[i];
        side.outliers.push_back({.channel = static_cast<std::int64_t>(c),
                                 .max = static_cast<double>(tensor.channel_max[c]),
                                 .energy_share = tensor.channel_energy[c] / channels.energy,
                                 .windows = tensor.outlier_windows[c],
                                 .token_windows = tensor.token_windows[c]});
    }
    side.alerts = alerts_of(tensor, channels, side);
    side.map = map_of(tensor.channel_max);
    return side;
}

ActivationsResult activations_result(const Model& model, const Activations& activations,
                                     std::span<const EvaluationWindow> windows) {
    ActivationsResult result{.windows = std::ssize(windows)};
    for (const EvaluationWindow& window : windows) result.tokens += std::ssize(window.tokens);
    std::map<std::size_t, std::string> readers;  // the first linear of each input
    for (const auto& [index, sides] : activations.items) {
        const LinearItem& item = model.items()[index];
        ActivationsLinear linear{.name = item.name, .block = item.block, .projection = item.projection};
        linear.output = activation_side(activations.tensors[sides.output.value()]);
        if (sides.embedding) linear.embedding = activation_side(activations.tensors[*sides.embedding]);
        if (sides.input) {
            linear.input = activation_side(activations.tensors[*sides.input]);
            const auto [first, is_new] = readers.try_emplace(*sides.input, item.name);
            if (!is_new) {
                linear.shares_input_with = first->second;
                linear.input->map.clear();
            }
        }
        if (is_routed(model, item)) {
            linear.input->map.clear();
            linear.output.map.clear();
        }
        result.linears.push_back(std::move(linear));
    }
    return result;
}

}  // namespace assay
