#include "compute/cpu/rounded_operand.h"

#include <algorithm>

namespace assay::compute {
namespace {

constexpr float kTopInt8 = 127, kTopE4m3 = 448;

// The columns [first, first + count) of m.
MatrixView<const float> columns_of(MatrixView<const float> m, std::int64_t first, std::int64_t count) {
    return {m.data() + first, m.rows(), count, m.stride()};
}

}  // namespace

RoundedOperand::RoundedOperand(const RoundedLinear& w, std::span<const float> bias,
                               const RoundingKernels& kernels, Gemm& gemm, ScratchPool& scratch)
    : in_(w.codes.cols()),
      scales_(w.scales),
      bias_(bias.begin(), bias.end()),
      input_(w.input),
      kernels_(kernels),
      gemm_(gemm),
      scratch_(scratch) {
    for (std::int64_t first = 0; first < w.codes.rows(); first += kSlice) {
        slices_.push_back({first, std::min(kSlice, w.codes.rows() - first), {}});
        const MatrixView<const float> rows = w.codes.view().row_range(first, slices_.back().outs);
        for (std::int64_t c = 0; c < in_; c += kDepth)
            slices_.back().blocks.push_back(gemm.pack(columns_of(rows, c, std::min(kDepth, in_ - c))));
    }
}

void RoundedOperand::round(std::int64_t rows, const float* x, float* codes, float* row_scales) const {
    const bool int8 = input_.element == InputElement::kInt8;
    const auto encode = int8 ? kernels_.round_int8 : kernels_.round_e4m3;
    const float* divisors = input_.divisors.empty() ? nullptr : input_.divisors.data();
    for (std::int64_t r = 0; r < rows; ++r, x += in_) {
        const float largest = kernels_.largest(x, divisors, in_);
        const bool finite = largest - largest == 0;
        const float scale = input_.scale > 0 ? input_.scale : largest / (int8 ? kTopInt8 : kTopE4m3);
        row_scales[r] = finite ? scale : largest - largest;
        for (std::int64_t c = 0; c < in_; c += kDepth) {
            const std::int64_t count = std::min(kDepth, in_ - c);
            encode(x + c, divisors == nullptr ? nullptr : divisors + c, count, scale > 0 ? scale : 1.0f,
                   codes + rows * c + r * count);
        }
    }
}

void RoundedOperand::rescale(const Slice& slice, std::int64_t rows, const double* sums,
                             const float* row_scales, const float* residual, float* y) const {
    const std::int64_t out = out_features();
    for (std::int64_t r = 0; r < rows; ++r, sums += slice.outs) {
        const std::int64_t place = r * out + slice.first;
        const double row_scale = row_scales[r];
        for (std::int64_t o = 0; o < slice.outs; ++o) {
            const auto own = static_cast<std::size_t>(slice.first + o);
            double value = sums[o] * (row_scale * scales_[own]);
            if (!bias_.empty()) value += bias_[own];
            if (residual != nullptr) value += residual[place + o];
            y[place + o] = static_cast<float>(value);
        }
    }
}

void RoundedOperand::multiply(std::int64_t rows, const float* x, const float* residual, float* y) const {
    ScratchPool::Block scratch = scratch_.take(rows * (in_ + 1 + kSlice));
    float* const codes = scratch.floats.get();
    float* const row_scales = codes + rows * in_;
    float* const products = row_scales + rows;
    round(rows, x, codes, row_scales);
    std::vector<double> sums;
    for (const Slice& slice : slices_) {
        sums.assign(static_cast<std::size_t>(rows * slice.outs), 0.0);
        const float* own = codes;
        for (const PackedMatrix& block : slice.blocks) {
            gemm_.multiply(rows, own, block, nullptr, nullptr, products);
            for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += products[i];
            own += rows * block.in;
        }
        rescale(slice, rows, sums.data(), row_scales, residual, y);
    }
    scratch_.put(std::move(scratch));
}

}  // namespace assay::compute
