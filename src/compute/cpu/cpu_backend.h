// The CPU backend's class and the pieces that its two files share: forward operations and gradients.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "base/checked.h"
#include "compute/backend.h"
#include "compute/cpu/aligned.h"
#include "compute/cpu/gemm.h"
#include "compute/cpu/kernels.h"
#include "compute/cpu/outer_products.h"
#include "compute/cpu/row_tiles.h"
#include "compute/cpu/scratch_pool.h"

namespace assay::compute {

constexpr std::int64_t kElementsPerTask = 1 << 15;  // of element-wise operations

struct CpuBuffer final : Buffer {
    explicit CpuBuffer(std::int64_t n) : values(aligned_floats(n)) {}
    AlignedFloats values;
};

inline float* data(Tensor& t) {
    return static_cast<CpuBuffer&>(t.buffer()).values.get();
}
inline const float* data(const Tensor& t) {
    return static_cast<const CpuBuffer&>(t.buffer()).values.get();
}

// Where row r of some columns begins.
inline const float* row(const Columns& part, std::int64_t r) {
    return data(*part.tensor) + r * part.tensor->cols() + part.first;
}
inline float* row(const TargetColumns& part, std::int64_t r) {
    return data(*part.tensor) + r * part.tensor->cols() + part.first;
}

struct CpuHead final : PackedHead {
    std::vector<PackedMatrix> slices;
    std::int64_t rows = 0, cols = 0;
    double softcap = 0;
    std::int64_t vocabulary() const override { return rows; }
    std::int64_t in_features() const override { return cols; }
};

class CpuBackend final : public Backend {
  public:
    CpuBackend(ThreadPool& pool, const CpuOptions& options);

    std::string description() const override;
    std::int64_t element_bytes() const override { return 4; }
    std::int64_t weight_bytes() const override { return precision_ == Precision::kBf16 ? 2 : 4; }
    Tensor allocate(std::int64_t rows, std::int64_t cols) override;
    void upload(MatrixView<const float> values, Tensor& out) override;
    void download(const Tensor& tensor, MatrixView<float> out) const override;
    void copy_rows(const Tensor& in, std::int64_t in_row, Tensor& out, std::int64_t out_row,
                   std::int64_t rows) override;
    std::unique_ptr<PackedLinear> pack_linear(MatrixView<const float> w,
                                              std::span<const float> bias) override;
    std::unique_ptr<PackedLinear> pack_rounded(const RoundedLinear& w, std::span<const float> bias) override;
    std::unique_ptr<PackedLinear> pack_transposed(MatrixView<const float> w) override;
    void linear(const Batch& batch, const Tensor& x, const PackedLinear& w, const Tensor* residual,
                Tensor& y) override;
    void rms_norm(const Batch& batch, const Tensor& x, const Tensor& weight, double eps,
                  const Tensor* residual, Tensor& y) override;
    void attention(const Batch& batch, const Columns& q, const Columns& k, const Columns& v,
                   const AttentionSpec& spec, Tensor& out) override;
    void gated(const Batch& batch, const Columns& gate, const Columns& up, Activation activation,
               Tensor& y) override;
    Routing route(const Batch& batch, const Tensor& logits, const RouteSpec& spec) override;
    void gather_rows(const Tensor& in, std::span<const std::int64_t> rows, Tensor& out) override;
    void combine_experts(const Batch& batch, const Routing& routing, std::span<const Tensor* const> outputs,
                         const Tensor& residual, Tensor& y) override;
    void add_gated(const Batch& batch, const Tensor& x, const Tensor& gate, const Tensor& residual,
                   Tensor& y) override;
    std::vector<SquaredError> squared_error(const Batch& batch, const Tensor& a, const Tensor& b) override;
    std::vector<ActivationSums> activation_sums(const Batch& batch, const Tensor& x) override;
    std::unique_ptr<PackedHead> pack_head(MatrixView<const float> w, double softcap) override;
    std::unique_ptr<TokenScorer> make_scorer(const Batch& batch, std::size_t inputs,
                                             std::span<const std::int32_t> targets) override;
    void logits(const Batch& batch, const HeadInput& input, MatrixView<float> out) override;

    // cpu_gradients.cpp
    void rms_norm_backward(const Batch& batch, const Tensor& x, const Tensor& weight, double eps,
                           const Tensor& g_y, const Tensor* base, Tensor& g_x) override;
    void attention_backward(const Batch& batch, const Columns& q, const Columns& k, const Columns& v,
                            const AttentionSpec& spec, const Tensor& out, const Tensor& g_out,
                            const TargetColumns& g_q, const TargetColumns& g_k,
                            const TargetColumns& g_v) override;
    void gated_backward(const Batch& batch, const Columns& gate, const Columns& up, Activation activation,
                        const Tensor& g_y, const TargetColumns& g_gate, const TargetColumns& g_up) override;
    void scatter_rows(const Tensor& in, std::span<const std::int64_t> rows, const Tensor* base,
                      Tensor& out) override;
    RoutingGradient combine_experts_backward(const Batch& batch, const Routing& routing,
                                             std::span<const Tensor* const> outputs, const Tensor& g_y,
                                             std::span<Tensor* const> g_outputs) override;
    void route_backward(const Batch& batch, const Tensor& logits, const RouteSpec& spec,
                        const Routing& routing, const RoutingGradient& g_weights, Tensor& g_logits) override;
    void add_gated_backward(const Batch& batch, const Tensor& x, const Tensor& gate, const Tensor& g_y,
                            Tensor& g_x, Tensor& g_gate) override;
    void add(const Tensor& a, const Tensor& b, Tensor& y) override;
    void label_gradient(const Batch& batch, const HeadInput& part, LabelDraws& draws,
                        Tensor& g_logits) override;
    std::unique_ptr<PackedChange> pack_change(MatrixView<const float> change) override;
    Matrix<double> change_dots(std::span<const RowSegment> segments, const Tensor& g, const Tensor& x,
                               std::span<const PackedChange* const> changes) override;
    Matrix<double> weighted_gradient(const Tensor& g, const Tensor& x,
                                     std::span<const double> weights) override;
    void add_gram(const Batch& batch, const Tensor& x, std::span<const double> weights,
                  SymmetricMatrix& sums) override;

  private:
    friend class CpuScorer;

    // Calls work(r) for each row of a tensor, several rows a task.
    template <class Work>
    void for_each_row(const Tensor& t, const Work& work) {
        parallel_for(pool_, t.rows(), ceil_div(kElementsPerTask, std::max<std::int64_t>(t.cols(), 1)),
                     [&](std::int64_t begin, std::int64_t end) {
                         for (std::int64_t r = begin; r < end; ++r) work(r);
                     });
    }

    // Calls work(tile) for tiles of rows that do not depend on each other.
    template <class Work>
    void for_each_tile(std::int64_t rows, const Work& work) {
        const std::vector<Tile> tiles = row_tiles(rows, pool_.threads());
        pool_.for_each(std::ssize(tiles), [&](std::int64_t i) { work(tiles[static_cast<std::size_t>(i)]); });
    }

    // The group of query heads of one key/value head in one window, all its rows; the result is left out.
    static AttentionTask attention_task(const Batch& batch, std::int64_t window, std::int64_t kv_head,
                                        const Columns& q, const Columns& k, const Columns& v,
                                        const AttentionSpec& spec);

    // Logits of a tile's rows and one slice of the head [rows, tokens], after the softcap.
    void slice_logits(const Tile& tile, const HeadInput& input, const PackedMatrix& slice, float* out);

    ThreadPool& pool_;
    Precision precision_;
    const Kernels& kernels_;
    Gemm gemm_;
    ScratchPool scratch_;
    OuterProducts outer_products_;
};

}  // namespace assay::compute
