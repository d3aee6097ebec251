// The border of all number crunching: about a dozen coarse operations on a backend's own tensors.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "compute/batch.h"
#include "compute/tensor.h"
#include "tensor/matrix.h"

namespace assay::compute {

// Causal self-attention with grouped key/value heads and rotary positions.
struct AttentionSpec {
    std::int64_t heads = 0;
    std::int64_t kv_heads = 0;  // divides heads
    std::int64_t head_dim = 0;
    double scale = 0;                 // multiplies q·k; usually head_dim^-1/2
    const Tensor* cosines = nullptr;  // [positions, rotary/2] with rotary <= head_dim; null: no rotation
    const Tensor* sines = nullptr;
};

// One run of the output layer: final hidden states [rows, hidden] against a head.
struct HeadInput {
    const Tensor* hidden = nullptr;
    const PackedHead* head = nullptr;
};

// What the output layer says of each row's next token.
struct TokenScores {
    std::vector<double> nll;         // -ln p(target), nats
    std::vector<double> kl;          // KL(first input || this input), nats; 0 for the first input itself
    std::vector<std::int32_t> top1;  // token with the largest logit, the lowest id on ties
};

// Sums over the rows of one window.
struct SquaredError {
    double error = 0;      // sum (b - a)^2
    double reference = 0;  // sum a^2
};

// Every operation checks its shapes and throws InvalidArgument where they do not fit. Results of one backend
// on one instruction set are the same bits for any thread count and any grouping of windows into batches; two
// backends agree within rounding. Tensors of one backend must not be given to another.
class Backend {
  public:
    virtual ~Backend() = default;

    // Name, precision and instruction set, for records: "cpu f32 avx512 (oneDNN 2.6.3)".
    virtual std::string description() const = 0;

    // Bytes that one element of a tensor takes.
    virtual std::int64_t element_bytes() const = 0;

    // An uninitialised tensor.
    virtual Tensor allocate(std::int64_t rows, std::int64_t cols) = 0;

    // Copies between host memory and a tensor of the same shape.
    virtual void upload(MatrixView<const float> values, Tensor& out) = 0;
    virtual void download(const Tensor& tensor, MatrixView<float> out) const = 0;

    // out[out_row + i] = in[in_row + i] for i in [0, rows).
    virtual void copy_rows(const Tensor& in, std::int64_t in_row, Tensor& out, std::int64_t out_row,
                           std::int64_t rows) = 0;

    // Packs w [out, in] and bias [out] (empty: none) for linear().
    virtual std::unique_ptr<PackedLinear> pack_linear(MatrixView<const float> w,
                                                      std::span<const float> bias) = 0;

    // y = x wᵀ + bias, and + residual where given. Shape x [rows, in], y and residual [rows, out].
    virtual void linear(const Batch& batch, const Tensor& x, const PackedLinear& w, const Tensor* residual,
                        Tensor& y) = 0;

    // y = x / sqrt(mean(x²) + eps) · weight, row by row (Zhang & Sennrich 2019, eq. 4). Shape weight [1,
    // cols].
    virtual void rms_norm(const Batch& batch, const Tensor& x, const Tensor& weight, double eps,
                          Tensor& y) = 0;

    // softmax(scale · rot(q) rot(k)ᵀ + causal mask) v, head by head and window by window. Rotation turns the
    // pairs (i, i + rotary/2) by the row's position in its window (Su et al. 2021, eq. 34, in the half-split
    // order). Shape q, out [rows, heads·head_dim]; k, v [rows, kv_heads·head_dim].
    virtual void attention(const Batch& batch, const Tensor& q, const Tensor& k, const Tensor& v,
                           const AttentionSpec& spec, Tensor& out) = 0;

    // y = gate · sigmoid(gate) · up (SwiGLU, Shazeer 2020).
    virtual void gated_silu(const Batch& batch, const Tensor& gate, const Tensor& up, Tensor& y) = 0;

    // Sums over each window's rows of (b - a)² and a², in double.
    virtual std::vector<SquaredError> squared_error(const Batch& batch, const Tensor& a, const Tensor& b) = 0;

    // Packs the output layer w [vocabulary, hidden].
    virtual std::unique_ptr<PackedHead> pack_head(MatrixView<const float> w) = 0;

    // For each input and row: logits = hidden·wᵀ, then the scores above against targets [rows]; all inputs
    // have the same rows and vocabulary. With p from the first input and q from another, KL = Σ p (a - b) -
    // lse(a) + lse(b), a and b their logits: exactly 0 where the logits are the same bits. Logits exist for
    // one slice of the vocabulary only.
    virtual std::vector<TokenScores> score_tokens(const Batch& batch, std::span<const HeadInput> inputs,
                                                  std::span<const std::int32_t> targets) = 0;

    // All logits of one run [rows, vocabulary]; for small outputs and tests.
    virtual void logits(const Batch& batch, const HeadInput& input, MatrixView<float> out) = 0;
};

// Which of the own kernels to use: the best that the processor has, or at most AVX2 (to test those on a newer
// machine).
enum class CpuKernels { kBest, kAvx2 };

// Packed f32 GEMMs of oneDNN and own kernels for the rest; AVX-512 or AVX2, chosen at run time.
// Throws Error where the processor has neither. The pool must outlive the backend.
std::unique_ptr<Backend> make_cpu_backend(ThreadPool& pool, CpuKernels kernels = CpuKernels::kBest);

// Naive loops in double: slow, the truth that the others are compared with.
std::unique_ptr<Backend> make_reference_backend();

}  // namespace assay::compute
