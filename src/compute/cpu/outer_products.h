// Outer products Σ_t g_t x_tᵀ of rows, tile by tile: dotted with changes of a weight, or kept.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/parallel.h"
#include "compute/backend.h"
#include "compute/cpu/kernels.h"
#include "compute/cpu/scratch_pool.h"
#include "tensor/matrix.h"

namespace assay::compute {

// The operations of the same names of Backend; shapes are checked there.
class OuterProducts {
  public:
    OuterProducts(ThreadPool& pool, const GradientKernels& kernels) : pool_(pool), kernels_(kernels) {}

    std::unique_ptr<PackedChange> pack_change(MatrixView<const float> change) const;

    Matrix<double> change_dots(std::span<const RowSegment> segments, MatrixView<const float> g,
                               MatrixView<const float> x, std::span<const PackedChange* const> changes);

    Matrix<double> weighted_gradient(MatrixView<const float> g, MatrixView<const float> x,
                                     std::span<const double> weights);

    void add_gram(const Batch& batch, MatrixView<const float> x, std::span<const double> weights,
                  SymmetricMatrix& sums);

  private:
    struct Piece;
    struct Operands;

    // Packs some rows of g and x for products; those of g multiplied by weights[row] where there are any.
    Operands pack(MatrixView<const float> g, MatrixView<const float> x, std::span<const std::int64_t> rows,
                  std::span<const double> weights);
    void add_change_dots(std::span<const Piece> pieces, const Operands& operands,
                         std::span<const float* const> changes, Matrix<double>& sums);
    void add_gradient(const Operands& operands, Matrix<double>& sums);
    void add_gram(std::span<const Piece> pieces, const Operands& operands, SymmetricMatrix& sums);

    ThreadPool& pool_;
    const GradientKernels& kernels_;
    ScratchPool scratch_;
};

}  // namespace assay::compute
