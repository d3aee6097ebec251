#include "workflow/other_models.h"

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

}  // namespace assay
