#include "measure/tensor_activations.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace assay {
namespace {

double mean_of(const std::vector<float>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

template <class T>
void append_all(const std::vector<T>& values, std::vector<double>& numbers) {
    append_list(std::vector<double>(values.begin(), values.end()), numbers);
}

template <class T>
void read_all(NumberReader& numbers, std::vector<T>& values) {
    const std::vector<double> list = numbers.next_list();
    if (list.size() != values.size()) throw FormatError("kept activations: another number of channels");
    std::transform(list.begin(), list.end(), values.begin(), [](double x) { return static_cast<T>(x); });
}

}  // namespace

TensorActivations::TensorActivations(std::int64_t channels)
    : channel_max(static_cast<std::size_t>(channels)),
      channel_energy(channel_max.size()),
      outlier_windows(channel_max.size()),
      token_windows(channel_max.size()) {}

std::int64_t TensorActivations::rows() const {
    return channel_max.empty() ? 0 : sums.count / std::ssize(channel_max);
}

std::vector<std::int64_t> TensorActivations::add(const compute::ActivationSums& window) {
    const std::size_t channels = channel_max.size();
    const auto count = static_cast<std::int64_t>(window.row_max.size() * channels);
    if (count == 0) return {};
    const double squares = std::accumulate(window.channel_energy.begin(), window.channel_energy.end(), 0.0);
    sums.add({count, window.sum, squares, window.cubes, window.fourths});
    magnitudes += window.magnitudes;
    const bool counts = std::ssize(window.row_max) >= kLeastRows;
    if (counts) ++windows;
    const double limit = kOutlierChannelFactor * mean_of(window.channel_max);
    for (std::size_t c = 0; c < channels; ++c) {
        const double top = window.channel_max[c], energy = window.channel_energy[c];
        channel_max[c] = std::max(channel_max[c], window.channel_max[c]);
        channel_energy[c] += energy;
        if (!counts || top <= limit) continue;
        ++outlier_windows[c];
        if (top * top > kTokenShare * energy) ++token_windows[c];
    }
    std::vector<std::int64_t> massive;
    const double least = kMassiveRatio * window.magnitudes / static_cast<double>(count);
    for (std::size_t r = 0; r < window.row_max.size(); ++r) {
        if (least > 0 && window.row_max[r] >= least) massive.push_back(static_cast<std::int64_t>(r));
    }
    massive_tokens += std::ssize(massive);
    if (!massive.empty()) ++massive_windows;
    return massive;
}

bool TensorActivations::is_large(double magnitude) const {
    return largest.size() < kKeptTokens || magnitude > std::abs(largest.back().value);
}

void TensorActivations::keep(const MassiveToken& token) {
    const auto place = std::find_if(largest.begin(), largest.end(), [&](const MassiveToken& other) {
        return std::abs(token.value) > std::abs(other.value);
    });
    largest.insert(place, token);
    if (largest.size() > kKeptTokens) largest.pop_back();
}

void append_numbers(const TensorActivations& tensor, std::vector<double>& numbers) {
    const PowerSums& sums = tensor.sums;
    for (const std::int64_t count : {sums.count, tensor.windows, tensor.massive_tokens,
                                     tensor.massive_windows, tensor.massive_first_tokens})
        numbers.push_back(static_cast<double>(count));
    for (const double sum : {sums.sum, sums.squares, sums.cubes, sums.fourths, tensor.magnitudes})
        numbers.push_back(sum);
    append_all(tensor.channel_max, numbers);
    append_list(tensor.channel_energy, numbers);
    append_all(tensor.outlier_windows, numbers);
    append_all(tensor.token_windows, numbers);
    numbers.push_back(static_cast<double>(tensor.largest.size()));
    for (const MassiveToken& token : tensor.largest) {
        for (const std::int64_t place : {token.window, token.position, token.channel})
            numbers.push_back(static_cast<double>(place));
        numbers.push_back(token.value);
    }
}

void read_numbers(NumberReader& numbers, TensorActivations& tensor) {
    PowerSums& sums = tensor.sums;
    for (std::int64_t* count : {&sums.count, &tensor.windows, &tensor.massive_tokens, &tensor.massive_windows,
                                &tensor.massive_first_tokens})
        *count = numbers.next_count();
    for (double* sum : {&sums.sum, &sums.squares, &sums.cubes, &sums.fourths, &tensor.magnitudes})
        *sum = numbers.next();
    read_all(numbers, tensor.channel_max);
    read_all(numbers, tensor.channel_energy);
    read_all(numbers, tensor.outlier_windows);
    read_all(numbers, tensor.token_windows);
    const std::int64_t kept = numbers.next_count();
    if (kept > static_cast<std::int64_t>(kKeptTokens)) throw FormatError("kept activations: too many tokens");
    tensor.largest.clear();
    for (std::int64_t i = 0; i < kept; ++i) {
        MassiveToken token{numbers.next_count(), numbers.next_count(), numbers.next_count()};
        token.value = numbers.next();
        tensor.largest.push_back(token);
    }
}

}  // namespace assay
