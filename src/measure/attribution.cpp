#include "measure/attribution.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace assay {
namespace {

using compute::Tensor;

constexpr std::int64_t kRowsPerTask = 16, kColumnsPerTask = 64;

// The operation that writes a slot; null: the block's input.
const BlockOp* writer_of(const BlockProgram& program, int slot) {
    const auto found = std::find_if(program.ops.begin(), program.ops.end(),
                                    [&](const BlockOp& op) { return op.output == slot; });
    return found == program.ops.end() ? nullptr : &*found;
}

// The linear whose output an attention's input is, past the norm of queries or keys.
const BlockOp* linear_before(const BlockProgram& program, int slot) {
    const BlockOp* op = writer_of(program, slot);
    if (op != nullptr && op->kind == BlockOpKind::kRmsNorm) op = writer_of(program, op->inputs[0].slot);
    return op;
}

void add_heads(const char* part, std::int64_t heads, std::int64_t first, std::int64_t size,
               std::vector<HeadPart>& parts) {
    for (std::int64_t h = 0; h < heads; ++h) parts.push_back({part, h, first + h * size, size});
}

void add_to(const std::vector<double>& values, std::vector<double>& total) {
    total.resize(values.size(), 0.0);
    for (std::size_t i = 0; i < values.size(); ++i) total[i] += values[i];
}

// Sums of a ∘ change over rows and columns; each sum by one thread, in order.
PartSums sums_of_product(ThreadPool& pool, Matrix<double>& a, const Matrix<float>& change) {
    PartSums sums;
    sums.rows.resize(static_cast<std::size_t>(a.rows()));
    sums.columns.resize(static_cast<std::size_t>(a.cols()));
    parallel_for(pool, a.rows(), kRowsPerTask, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = begin; r < end; ++r) {
            const auto row = a.row(r);
            const auto delta = change.row(r);
            for (std::size_t c = 0; c < row.size(); ++c) row[c] *= static_cast<double>(delta[c]);
            sums.rows[static_cast<std::size_t>(r)] = std::accumulate(row.begin(), row.end(), 0.0);
        }
    });
    parallel_for(pool, a.cols(), kColumnsPerTask, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = 0; r < a.rows(); ++r) {
            for (std::int64_t c = begin; c < end; ++c)
                sums.columns[static_cast<std::size_t>(c)] += a.view()(r, c);
        }
    });
    return sums;
}

void to_shares(std::vector<double>& sums) {
    const double total = std::accumulate(sums.begin(), sums.end(), 0.0);
    for (double& v : sums) v = total > 0 ? v / total : 0;
}

}  // namespace

std::vector<HeadPart> head_parts(const Model& model, const LinearItem& item) {
    std::vector<HeadPart> parts;
    if (item.block < 0) return parts;
    const ModelConfig& c = model.config();
    const BlockProgram& program = model.block(item.block);
    const BlockOp& own = program.ops[static_cast<std::size_t>(item.op)];
    for (const BlockOp& op : program.ops) {
        if (op.kind != BlockOpKind::kAttention) continue;
        constexpr std::pair<const char*, std::size_t> kInputs[] = {{"q", 0}, {"k", 1}, {"v", 2}};
        for (const auto& [part, input] : kInputs) {
            if (linear_before(program, op.inputs[input].slot) == &own)
                add_heads(part, input == 0 ? c.heads : c.kv_heads, op.inputs[input].first, c.head_dim, parts);
        }
        if (own.inputs[0].slot == op.output) add_heads("o", c.heads, 0, c.head_dim, parts);
    }
    return parts;
}

void add(const PartSums& sums, PartSums& total) {
    add_to(sums.rows, total.rows);
    add_to(sums.columns, total.columns);
}

WindowParts part_sums(const Engine& engine, const Tensor& g, const Tensor& x,
                      std::span<const WeightedRows> windows, const Matrix<float>& change) {
    WindowParts parts;
    for (const WeightedRows& window : windows) {
        const auto count = std::ssize(window.weights);
        Tensor own_g = engine.backend.allocate(count, g.cols());
        Tensor own_x = engine.backend.allocate(count, x.cols());
        engine.backend.copy_rows(g, window.first, own_g, 0, count);
        engine.backend.copy_rows(x, window.first, own_x, 0, count);
        Matrix<double> a = engine.backend.weighted_gradient(own_g, own_x, window.weights);
        parts.push_back(sums_of_product(engine.pool, a, change));
    }
    return parts;
}

Attribution attribute(const Model& model, std::size_t item, std::size_t treatment, PartSums sums) {
    Attribution out{.item = item,
                    .treatment = treatment,
                    .rows = std::move(sums.rows),
                    .columns = std::move(sums.columns),
                    .heads = head_parts(model, model.items()[item]),
                    .head_shares = {}};
    // An expert that no position went to has no sums.
    out.rows.resize(static_cast<std::size_t>(model.items()[item].out), 0.0);
    out.columns.resize(static_cast<std::size_t>(model.items()[item].in), 0.0);
    to_shares(out.rows);
    to_shares(out.columns);
    for (const HeadPart& head : out.heads) {
        const auto first = (head.part == "o" ? out.columns : out.rows).begin() + head.first;
        out.head_shares.push_back(std::accumulate(first, first + head.count, 0.0));
    }
    return out;
}

}  // namespace assay
