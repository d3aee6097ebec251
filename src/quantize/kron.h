// Rounding that knows what an error costs the whole model: by Kronecker factors of its Fisher information.
#pragma once

#include <span>
#include <string>

#include "quantize/encoded_weight.h"
#include "quantize/input_factor.h"

namespace assay {

// The Fisher information of the model's output in one weight W [out, in], as H_O ⊗ H_I: an error E = W - Ŵ
// costs about ½ tr(H_O E H_I Eᵀ) nats. Both factored alike: rows are to H_O what columns are to H_I.
struct KronFactors {
    const InputFactor& output;  // H_O [out, out]
    const InputFactor& input;   // H_I [in, in]
};

struct KronOptions {
    bool clip = false;  // clipped grids: quantize/int_grids.h, with the columns' energy as importance
    // s of the input's channels [in], for which w diag(s) is rounded (quantize/awq.h); empty: 1.
    std::span<const float> scales{};
};

struct KronResult {
    EncodedWeight weight;
    double error = 0;      // tr((H_O + μI) E (H_I + λI) Eᵀ) of E = w - dequantized
    double rtn_error = 0;  // the same of round to nearest, unscaled
    std::string fallback;  // why the codes are those of round to nearest; empty where they are not
};

// With H_I + λI = MᵀM, f_jk = m_kj / m_kk (quantize/input_factor.h) and n, g the same of H_O + μI, the error
// is
//   Σ_ik n_ii² m_kk² T_ik²,   T_ik = Σ_{r<=i} Σ_{j<=k} g_ri E_rj f_jk,
// so row after row and column after column in the factors' orders
//   q_ik = round(w_ik + T_ik less its own term E_ik)
// makes each term as small as the grid allows. Grids are those of the weights as they are, in the format's
// own groups. In double but for the rounding itself. With scales it is w diag(s) that is rounded, with the
// factor of inputs divided by s: f_jk s_k / s_j, m_kk² / s_k²; H_O stays. H_O = I gives the codes of gptq(),
// or awq() with gptq, with static groups, H_I = I too those of round to nearest. Falls back to round to
// nearest as gptq() does, w diag(s) where there are scales. The same bits for any number of threads. Shape:
// w [out, in], scales [in] or empty. Throws: as gptq(). Source: Tseng, Sun & De Sa 2025, "Model-preserving
// adaptive rounding" (YAQA), algorithm 1.
KronResult kron_round(MatrixView<const float> w, const IntFormat& format, const KronFactors& factors,
                      const KronOptions& options, ThreadPool& pool);

// tr((H_O + μI) E (H_I + λI) Eᵀ), E = w - dequantized. Throws InvalidArgument where shapes do not fit or
// there is no factor.
double kron_error(const KronFactors& factors, MatrixView<const float> w, MatrixView<const float> dequantized,
                  ThreadPool& pool);

}  // namespace assay
