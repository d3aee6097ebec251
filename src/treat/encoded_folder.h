// A model's treated linears in files, one a block: what a walk through the blocks has finished.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "container/safetensors.h"
#include "treat/calibrated_method.h"

namespace assay {

// Thread-safe while no block is added. A file is written whole or not at all.
class EncodedFolder final : public WeightOverlay {
  public:
    // The folder is made where there is none. Without a path files have no names: they vanish with this
    // object. Throws Error where nothing can be written.
    explicit EncodedFolder(std::filesystem::path folder);

    // Whether an earlier run finished the block with these linears, under this treatment: then it is opened.
    // A file that is damaged or of another treatment is as good as missing.
    bool open(std::int64_t block, const std::vector<std::string>& linears, const std::string& treatment);

    // Writes the block's file and opens it.
    void keep(std::int64_t block, std::span<const CalibratedWeight> weights);

    bool treats(const LinearItem& item) const override { return places_.contains(item.name); }
    void apply(const LinearItem& item, MatrixView<float> w) const override;

    // As files hold it. Throws InvalidArgument for a linear that none does.
    EncodedWeight weight(const std::string& name) const;

    // By block, as they were kept.
    std::vector<CalibratedLinear> reports() const;

  private:
    struct Block {
        SafetensorsFile file;
        std::vector<CalibratedLinear> reports;
    };
    std::filesystem::path file_of(std::int64_t block) const;
    void add(std::int64_t block, Block opened);

    std::filesystem::path folder_;
    bool nameless_;
    std::map<std::int64_t, Block> blocks_;
    std::map<std::string, const Block*, std::less<>> places_;  // of each linear
};

}  // namespace assay
