// Gradients of the CPU backend.
#include "compute/cpu/cpu_backend.h"

#include <cmath>
#include <cstring>

#include "compute/shape_checks.h"

namespace assay::compute {
namespace {

constexpr std::int64_t kScatterColumns = 256;

}  // namespace

void CpuBackend::rms_norm_backward(const Batch& batch, const Tensor& x, const Tensor& weight, double eps,
                                   const Tensor& g_y, const Tensor* base, Tensor& g_x) {
    check_rms_norm_backward(batch, x, weight, g_y, base, g_x);
    const std::int64_t n = weight.cols();
    parallel_for(pool_, batch.rows() * (x.cols() / n), ceil_div(kElementsPerTask, n),
                 [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t i = begin; i < end; ++i) {
                         kernels_.gradients.rms_norm(data(x) + i * n, data(weight), n, eps, data(g_y) + i * n,
                                                     base != nullptr ? data(*base) + i * n : nullptr,
                                                     data(g_x) + i * n);
                     }
                 });
}

void CpuBackend::attention_backward(const Batch& batch, const Columns& q, const Columns& k, const Columns& v,
                                    const AttentionSpec& spec, const Tensor& out, const Tensor& g_out,
                                    const TargetColumns& g_q, const TargetColumns& g_k,
                                    const TargetColumns& g_v) {
    check_attention(batch, q, k, v, spec, out);
    check_attention_backward(batch, spec, {&g_out, columns(g_q), columns(g_k), columns(g_v)});
    std::vector<AttentionGradientTask> tasks;
    for (std::int64_t w = 0; w < batch.windows(); ++w) {
        if (batch.window_rows(w) == 0) continue;
        const std::int64_t first = batch.window_first_row(w);
        for (std::int64_t h = 0; h < spec.kv_heads; ++h) {
            AttentionGradientTask task;
            task.forward = attention_task(batch, w, h, q, k, v, spec);
            const std::int64_t queries = h * task.forward.group * spec.head_dim, keys = h * spec.head_dim;
            task.out = row(out, first) + queries;
            task.g_out = row(g_out, first) + queries;
            task.g_q = row(g_q, first) + queries;
            task.g_k = row(g_k, first) + keys;
            task.g_v = row(g_v, first) + keys;
            task.out_stride = out.cols();
            task.g_q_stride = g_q.tensor->cols();
            task.g_k_stride = g_k.tensor->cols();
            task.g_v_stride = g_v.tensor->cols();
            tasks.push_back(task);
        }
    }
    std::stable_sort(tasks.begin(), tasks.end(), [](const auto& a, const auto& b) {
        return a.forward.rows > b.forward.rows;  // no thread is left alone with a long one
    });
    pool_.for_each(static_cast<std::int64_t>(tasks.size()), [&](std::int64_t i) {
        const AttentionGradientTask& task = tasks[static_cast<std::size_t>(i)];
        ScratchPool::Block scratch = scratch_.take(kernels_.gradients.attention_scratch(task));
        kernels_.gradients.attention(task, scratch.floats.get());
        scratch_.put(std::move(scratch));
    });
}

void CpuBackend::gated_backward(const Batch& batch, const Columns& gate, const Columns& up,
                                Activation activation, const Tensor& g_y, const TargetColumns& g_gate,
                                const TargetColumns& g_up) {
    check_gated_backward(batch, gate, up, g_y, columns(g_gate), columns(g_up));
    const auto kernel =
        activation == Activation::kSilu ? kernels_.gradients.gated_silu : kernels_.gradients.gated_gelu_tanh;
    for_each_row(g_y, [&](std::int64_t r) {
        kernel(row(gate, r), row(up, r), row(g_y, r), g_y.cols(), row(g_gate, r), row(g_up, r));
    });
}

void CpuBackend::scatter_rows(const Tensor& in, std::span<const std::int64_t> rows, const Tensor* base,
                              Tensor& out) {
    check_scatter_rows(in, rows, base, out);
    const std::int64_t n = out.cols();
    for_each_row(out, [&](std::int64_t r) {
        if (base == nullptr) {
            std::fill_n(data(out) + r * n, n, 0.0f);
        } else if (base != &out) {
            std::memcpy(data(out) + r * n, data(*base) + r * n, static_cast<std::size_t>(n) * 4);
        }
    });
    // A row may be met twice, so tasks divide the columns: each goes through the rows in their order.
    parallel_for(pool_, n, kScatterColumns, [&](std::int64_t begin, std::int64_t end) {
        for (std::size_t i = 0; i < rows.size(); ++i) {
            kernels_.add_scaled(data(in) + static_cast<std::int64_t>(i) * n + begin, end - begin, 1.0f,
                                data(out) + rows[i] * n + begin);
        }
    });
}

RoutingGradient CpuBackend::combine_experts_backward(const Batch& batch, const Routing& routing,
                                                     std::span<const Tensor* const> outputs,
                                                     const Tensor& g_y, std::span<Tensor* const> g_outputs) {
    check_combine_experts_backward(batch, routing, outputs, g_y, g_outputs);
    const std::int64_t n = g_y.cols();
    RoutingGradient g_weights(outputs.size());
    for (std::size_t e = 0; e < outputs.size(); ++e) {
        const ExpertRows& expert = routing.experts[e];
        g_weights[e].resize(expert.rows.size());
        for_each_row(*outputs[e], [&](std::int64_t i) {
            const auto index = static_cast<std::size_t>(i);
            const float* g = data(g_y) + expert.rows[index] * n;
            g_weights[e][index] = kernels_.gradients.dot(data(*outputs[e]) + i * n, g, n);
            kernels_.gradients.scale(g, n, static_cast<float>(expert.weights[index]),
                                     data(*g_outputs[e]) + i * n);
        });
    }
    return g_weights;
}

void CpuBackend::route_backward(const Batch& batch, const Tensor& logits, const RouteSpec& spec,
                                const Routing& routing, const RoutingGradient& g_weights, Tensor& g_logits) {
    check_route_backward(batch, logits, spec, routing, g_weights, g_logits);
    const std::int64_t n = logits.cols();
    route_rows_backward(
        batch.rows(), spec, routing, g_weights,
        [&](std::int64_t r, std::span<double> row) { std::copy_n(data(logits) + r * n, n, row.begin()); },
        [&](std::int64_t r, std::span<const double> row) {
            for (std::int64_t e = 0; e < n; ++e)
                data(g_logits)[r * n + e] = static_cast<float>(row[static_cast<std::size_t>(e)]);
        });
}

void CpuBackend::add_gated_backward(const Batch& batch, const Tensor& x, const Tensor& gate,
                                    const Tensor& g_y, Tensor& g_x, Tensor& g_gate) {
    check_add_gated_backward(batch, x, gate, g_y, g_x, g_gate);
    const std::int64_t n = x.cols();
    for_each_row(x, [&](std::int64_t r) {
        const double weight = 1 / (1 + std::exp(-static_cast<double>(data(gate)[r])));
        const double product = kernels_.gradients.dot(data(g_y) + r * n, data(x) + r * n, n);
        data(g_gate)[r] = static_cast<float>(weight * (1 - weight) * product);
        kernels_.gradients.scale(data(g_y) + r * n, n, static_cast<float>(weight), data(g_x) + r * n);
    });
}

void CpuBackend::add(const Tensor& a, const Tensor& b, Tensor& y) {
    check_add(a, b, y);
    const std::int64_t n = y.cols();
    for_each_row(y, [&](std::int64_t r) {
        kernels_.gradients.add(data(a) + r * n, data(b) + r * n, n, data(y) + r * n);
    });
}

void CpuBackend::label_gradient(const Batch& batch, const HeadInput& part, LabelDraws& draws,
                                Tensor& g_logits) {
    check_label_gradient(batch, part, draws, g_logits);
    const auto& head = static_cast<const CpuHead&>(*part.head);
    const std::int64_t n = head.rows;
    for_each_tile(batch.rows(), [&](const Tile& tile) {
        slice_logits(tile, part, head.slices[0], data(g_logits) + tile.first_row * n);
        for (std::int64_t r = tile.first_row; r < tile.first_row + tile.rows; ++r) {
            const auto at = static_cast<std::size_t>(r);
            LabelRow row;
            row.log_sum = draws.log_sum[at];
            row.uniform = std::min(draws.uniform[at], LabelDraws::kLargestUniform);
            row.passed = draws.passed[at];
            row.found = draws.labels[at] >= 0;
            row.softcap = static_cast<float>(head.softcap);
            kernels_.gradients.label(data(g_logits) + r * n, n, &row);
            draws.passed[at] = row.passed;
            if (row.label >= 0) draws.labels[at] = draws.next_token + static_cast<std::int32_t>(row.label);
        }
    });
    draws.next_token += static_cast<std::int32_t>(n);
}

std::unique_ptr<PackedChange> CpuBackend::pack_change(MatrixView<const float> change) {
    return outer_products_.pack_change(change);
}

Matrix<double> CpuBackend::change_dots(std::span<const RowSegment> segments, const Tensor& g, const Tensor& x,
                                       std::span<const PackedChange* const> changes) {
    check_change_dots(segments, g, x, changes);
    return outer_products_.change_dots(segments, {data(g), g.rows(), g.cols()}, {data(x), x.rows(), x.cols()},
                                       changes);
}

Matrix<double> CpuBackend::weighted_gradient(const Tensor& g, const Tensor& x,
                                             std::span<const double> weights) {
    check_weighted_gradient(g, x, weights);
    return outer_products_.weighted_gradient({data(g), g.rows(), g.cols()}, {data(x), x.rows(), x.cols()},
                                             weights);
}

void CpuBackend::add_gram(const Batch& batch, const Tensor& x, std::span<const double> weights,
                          SymmetricMatrix& sums) {
    check_gram(batch, x, weights, sums);
    outer_products_.add_gram(batch, {data(x), x.rows(), x.cols()}, weights, sums);
}

}  // namespace assay::compute
