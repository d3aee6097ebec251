#include "measure/logit_activations.h"

#include <algorithm>
#include <cmath>

#include "model/block_loader.h"

namespace assay {
namespace {

// The sums of one window go on over the next tokens' logits.
void extend(const compute::ActivationSums& slice, compute::ActivationSums& all) {
    all.channel_max.insert(all.channel_max.end(), slice.channel_max.begin(), slice.channel_max.end());
    all.channel_energy.insert(all.channel_energy.end(), slice.channel_energy.begin(),
                              slice.channel_energy.end());
    all.sum += slice.sum;
    all.magnitudes += slice.magnitudes;
    all.cubes += slice.cubes;
    all.fourths += slice.fourths;
}

}  // namespace

LogitActivations::LogitActivations(const Model& model, compute::Backend& backend)
    : backend_(backend),
      head_(run_head(model, nullptr), backend),
      norm_(load_norm(model, backend, kFinalNormName)),
      eps_(model.config().rms_eps),
      vocabulary_(model.config().vocabulary) {}

compute::Tensor LogitActivations::input(const compute::Batch& rows, const compute::Tensor& stream,
                                        std::int64_t first_row) {
    compute::Tensor own = backend_.allocate(rows.rows(), stream.cols());
    compute::Tensor x = backend_.allocate(rows.rows(), stream.cols());
    backend_.copy_rows(stream, first_row, own, 0, rows.rows());
    backend_.rms_norm(rows, own, norm_, eps_, nullptr, x);
    return x;
}

std::int64_t LogitActivations::slice_tokens(std::int64_t first) const {
    return std::min(kLogitSlice, vocabulary_ - first);
}

void LogitActivations::add_slice(std::int64_t first, std::span<const compute::ActivationSums> slice,
                                 std::vector<compute::ActivationSums>& all) {
    std::size_t row = 0;
    for (std::size_t w = 0; w < slice.size(); ++w) {
        extend(slice[w], all[w]);
        for (std::size_t r = 0; r < slice[w].row_max.size(); ++r, ++row) {
            if (!(slice[w].row_max[r] > all[w].row_max[r])) continue;
            all[w].row_max[r] = slice[w].row_max[r];
            largest_slice_[row] = first;
        }
    }
}

std::vector<compute::ActivationSums> LogitActivations::sums(const compute::Batch& rows,
                                                            const compute::Tensor& x) {
    x_ = &x;
    largest_slice_.assign(static_cast<std::size_t>(rows.rows()), 0);
    std::vector<compute::ActivationSums> all(static_cast<std::size_t>(rows.windows()));
    for (std::int64_t w = 0; w < rows.windows(); ++w) {
        compute::ActivationSums& own = all[static_cast<std::size_t>(w)];
        own.row_max.assign(static_cast<std::size_t>(rows.window_rows(w)), 0);
        own.channel_max.reserve(static_cast<std::size_t>(vocabulary_));
        own.channel_energy.reserve(static_cast<std::size_t>(vocabulary_));
    }
    compute::Tensor logits;
    for (std::int64_t first = 0; first < vocabulary_; first += kLogitSlice) {
        const std::int64_t count = slice_tokens(first);
        if (logits.cols() != count) logits = backend_.allocate(rows.rows(), count);
        backend_.linear(rows, x, *head_.linear_part(first, count), nullptr, logits);
        add_slice(first, backend_.activation_sums(rows, logits), all);
    }
    return all;
}

Logit LogitActivations::largest(std::int64_t row) {
    const std::int64_t first = largest_slice_[static_cast<std::size_t>(row)], count = slice_tokens(first);
    compute::Tensor one = backend_.allocate(1, x_->cols()), logits = backend_.allocate(1, count);
    backend_.copy_rows(*x_, row, one, 0, 1);
    // A row of a product depends on no other row: these are the bits that sums() saw.
    backend_.linear(compute::Batch({1}), one, *head_.linear_part(first, count), nullptr, logits);
    Logit found = largest_of_row(backend_, logits, 0);
    found.token += first;
    return found;
}

std::int64_t logit_bytes(const Model& model, const compute::Backend& backend, std::int64_t rows) {
    const std::int64_t vocabulary = model.config().vocabulary, hidden = model.config().hidden;
    const std::int64_t slice = std::min(kLogitSlice, vocabulary);
    constexpr std::int64_t kSumBytes = sizeof(float) + sizeof(double);
    return 2 * rows * hidden * backend.element_bytes() + rows * slice * backend.element_bytes() +
           slice * hidden * (backend.weight_bytes() + 4) + kLogitWindows * vocabulary * kSumBytes;
}

Logit largest_of_row(compute::Backend& backend, const compute::Tensor& values, std::int64_t row) {
    compute::Tensor one = backend.allocate(1, values.cols());
    backend.copy_rows(values, row, one, 0, 1);
    Matrix<float> numbers(1, values.cols());
    backend.download(one, numbers.view());
    const auto top = std::max_element(numbers.values().begin(), numbers.values().end(),
                                      [](float a, float b) { return std::abs(a) < std::abs(b); });
    return {top - numbers.values().begin(), *top};
}

}  // namespace assay
