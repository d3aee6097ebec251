// The factored statistics of a linear's input: how an error in one column is made up for by those after it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "compute/symmetric_matrix.h"
#include "tensor/matrix.h"

namespace assay {

struct FactorOptions {
    bool by_energy = false;  // columns with the most energy first; else in their own order
    double damp = 0.01;      // least damping, as a share of the mean of the diagonal
};

// Of H = Σ x xᵀ over a linear's inputs, shared by all linears that read them. With the columns in `order` and
// H damped, H + λI = MᵀM with a lower triangular M, and the output error of E = W - Ŵ is
//   tr(E (H + λI) Eᵀ) = Σ_k m_kk² Σ_rows (E_k + Σ_{j<k} E_j f_jk)²,   f_jk = m_kj / m_kk:
// rounding column k of W + Σ_{j<k} E_j f_jk instead of W_k makes each term as small as the grid allows.
// Source: Frantar et al. 2022, "GPTQ"; in this form Chee et al. 2023, "QuIP", theorem 6.
struct InputFactor {
    std::vector<std::int64_t> order;    // order[k]: the column that comes k-th
    std::vector<double> energy;         // H_cc of each column c
    compute::SymmetricMatrix feedback;  // tile (K, J), at [j, k]: f_jk, with f_kk = 1; columns in order
    std::vector<double> pivots;         // m_kk²
    double damping = 0;                 // λ / mean of the diagonal
    int raised = 0;                     // how often it had to be, from FactorOptions::damp
    std::int64_t dead = 0;              // columns without energy
    std::string failure;                // why there is none of this; empty where there is
};

// Raises λ tenfold, from damp · mean(H_cc) on, until H + λI has a Cholesky factorization in double. There is
// none where H holds NaN or Inf, or needs more than 100 · mean(H_cc): H is not a sum of squares then. Where
// all columns are dead λ is 1: nothing is fed back. The same bits for any number of threads.
InputFactor factor_input(const compute::SymmetricMatrix& h, const FactorOptions& options, ThreadPool& pool);

// The factor of D⁻¹ (H + λI) D⁻¹, D = diag(scales): that of inputs that are divided by the scales, damped
// before they are. The order stays. Throws InvalidArgument unless there is a scale for each column.
InputFactor rescaled(const InputFactor& factor, std::span<const float> scales);

// tr(E (H + λI) Eᵀ), E = w - dequantized. Shape w, dequantized [out, in]. Throws InvalidArgument where shapes
// do not fit, or for a factor that failed.
double weighted_error(const InputFactor& factor, MatrixView<const float> w,
                      MatrixView<const float> dequantized, ThreadPool& pool);

}  // namespace assay
