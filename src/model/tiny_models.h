// The tiny models of tests/data, and their linears. Used by tests only.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "model/model_files.h"

namespace assay {

inline Model tiny_model(const std::string& name) {
    return load_model(open_model_files(std::filesystem::path(ASSAY_TEST_DATA) / "tiny" / name));
}

// Indexes of the items that are linears of blocks.
inline std::vector<std::size_t> block_items(const Model& model) {
    std::vector<std::size_t> items;
    for (std::size_t i = 0; i < model.items().size(); ++i) {
        if (model.items()[i].role == LinearItem::Role::kBlock) items.push_back(i);
    }
    return items;
}

}  // namespace assay
