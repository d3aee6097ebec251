#include "measure/input_audits.h"

#include <algorithm>
#include <iterator>

#include "base/error.h"
#include "model/block_walk.h"

namespace assay {
namespace {

InputSpan span_of(const Hessian& hessian) {
    const compute::SymmetricMatrix& h = hessian.sums;
    InputSpan out{.input = hessian.input,
                  .positions = hessian.positions,
                  .effective_rank = effective_rank(h),
                  .energy = {}};
    double all = 0;
    for (std::int64_t c = 0; c < h.size(); ++c) all += h(c, c);
    for (std::int64_t c = 0; c < h.size(); ++c) out.energy.push_back(all > 0 ? h(c, c) / all : 0);
    return out;
}

}  // namespace

double effective_rank(const compute::SymmetricMatrix& h) {
    double channels = 0, squares = 0;
    for (std::int64_t i = 0; i < h.size(); ++i) {
        if (!(h(i, i) > 0)) continue;
        channels += 1;
        squares += 1;
        for (std::int64_t j = 0; j < i; ++j) {
            if (h(j, j) > 0) squares += 2 * h(i, j) * h(i, j) / (h(i, i) * h(j, j));
        }
    }
    return squares > 0 ? channels * channels / squares : 0;
}

std::vector<InputSpan> measure_input_spans(const Model& model, const Engine& engine,
                                           std::span<const EvaluationWindow> windows,
                                           std::span<const std::size_t> items) {
    if (windows.empty() || items.empty()) throw InvalidArgument("inputs are measured on windows, of linears");
    const std::vector<SharedInput> inputs = shared_inputs(model, items);
    const std::int64_t last = inputs.back().block;
    BlockWalk walk(model, engine, windows);
    engine.progress.begin("inputs", static_cast<std::uint64_t>(walk.rows() * (last + 1)));
    std::vector<InputSpan> out;
    while (walk.block() <= last) {
        std::vector<SharedInput> own;
        std::copy_if(inputs.begin(), inputs.end(), std::back_inserter(own),
                     [&](const SharedInput& input) { return input.block == walk.block(); });
        HessianTap tap(model, engine.backend, std::move(own));
        walk.advance(nullptr, [&](const LinearItem& item, const compute::Batch& rows,
                                  const compute::Tensor& input) { tap.add(item, rows, input); });
        for (const Hessian& hessian : tap.take()) out.push_back(span_of(hessian));
        engine.cancel.check();
    }
    engine.progress.end();
    return out;
}

}  // namespace assay
