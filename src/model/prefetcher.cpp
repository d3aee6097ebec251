#include "model/prefetcher.h"

#include <chrono>

namespace assay {

std::vector<std::string> block_tensor_names(const Model& model, std::int64_t block) {
    std::vector<std::string> names;
    for (const BlockOp& op : model.block(block).ops) {
        if (op.weight.empty()) continue;
        const std::string name = Model::block_weight_name(block, op.weight);
        names.push_back(name + ".weight");
        if (op.bias) names.push_back(name + ".bias");
    }
    return names;
}

void Prefetcher::start(std::int64_t block) {
    if (block < 0 || block >= model_.config().layers) return;
    running_ = std::async(std::launch::async, [this, block] {
        for (const std::string& name : block_tensor_names(model_, block)) model_.weights().fetch(name);
    });
}

double Prefetcher::wait() {
    if (!running_.valid()) return 0;
    const auto start = std::chrono::steady_clock::now();
    running_.get();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace assay
