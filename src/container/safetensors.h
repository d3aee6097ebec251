// safetensors files and sharded folders, read: u64 header length, JSON header, then the tensors' bytes
// without gaps. Source: huggingface/safetensors, README.md and safetensors/src/tensor.rs.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "tensor/tensor_view.h"

namespace assay {

using TensorMap = std::map<std::string, TensorView, std::less<>>;
using MetadataMap = std::map<std::string, std::string, std::less<>>;

// One file. Construction checks the whole header, so that every view lies inside the file and has as many
// bytes as its shape and type need. Immutable, hence thread-safe; views live as long as the file's bytes.
class SafetensorsFile {
  public:
    // Throws FormatError where the file cannot be opened or breaks a rule of the format.
    static SafetensorsFile open(const std::filesystem::path& path);

    // Bytes in memory, which must outlive this object; `what` names them in errors. Throws FormatError.
    SafetensorsFile(std::span<const std::byte> bytes, std::string_view what);

    const TensorMap& tensors() const { return tensors_; }
    const MetadataMap& metadata() const { return metadata_; }
    // The file that holds the tensors; null for bytes in memory.
    const MappedFile* mapping() const { return file_.get(); }

  private:
    std::shared_ptr<const MappedFile> file_;  // null for bytes in memory
    TensorMap tensors_;
    MetadataMap metadata_;
};

// A model folder: model.safetensors, or the shards that model.safetensors.index.json names. Thread-safe as
// above.
class SafetensorsSet {
  public:
    // Throws FormatError where the folder holds neither file, for a bad file or index, a shard that is
    // missing or named outside the folder, an indexed tensor that is not in its shard, and a tensor in two
    // shards.
    static SafetensorsSet open(const std::filesystem::path& folder);

    const TensorMap& tensors() const { return tensors_; }
    // The files read: the index where there is one, then the tensor files by name.
    const std::vector<std::filesystem::path>& files() const { return paths_; }
    // The one that holds a tensor, or the folder where none does: for errors.
    std::string file_of(std::string_view tensor) const;
    // The file that holds these bytes of one of the tensors; null where none does.
    const MappedFile* mapping_of(std::span<const std::byte> bytes) const;

  private:
    SafetensorsSet() = default;
    void add_shard(const std::filesystem::path& path);

    std::filesystem::path folder_;
    std::vector<std::filesystem::path> paths_;
    std::vector<SafetensorsFile> shards_;
    TensorMap tensors_;
};

}  // namespace assay
