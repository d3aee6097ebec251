#include "workflow/other_models.h"

#include <set>
#include <string>
#include <utility>

#include "model/model_files.h"

namespace assay {

Model load_reference(Session& session, const std::filesystem::path& path) {
    const ModelFiles files = open_model_files(path);
    for (const auto& file : files.files) session.add_input(file);
    return load_model(files);
}

const Model& larger(const Model& a, const Model& b) {
    return a.config().hidden * a.config().intermediate > b.config().hidden * b.config().intermediate ? a : b;
}

bool is_block_linear(const LinearItem& item) {
    return item.role == LinearItem::Role::kBlock;
}

std::vector<std::size_t> block_linears(const Model& model, std::vector<std::size_t> items) {
    std::erase_if(items, [&](std::size_t i) { return !is_block_linear(model.items()[i]); });
    return items;
}

TreatmentOverlay::Choice only_block_linears(const Model& model, const std::vector<std::size_t>& items) {
    std::set<std::string> names;
    for (std::size_t i : block_linears(model, items)) names.insert(model.items()[i].name);
    return [names = std::move(names)](const LinearItem& item) { return names.contains(item.name); };
}

}  // namespace assay
