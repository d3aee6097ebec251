// safetensors files, written: tensors are declared first, then their bytes stream through.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "container/section_writer.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace assay {

struct TensorDeclaration {
    std::string name;
    DType dtype = DType::kF32;
    Shape shape;
};

// Memory use does not grow with the tensors' sizes. The file appears under its name at commit() only.
class SafetensorsWriter {
  public:
    // Writes the header. Throws InvalidArgument for a name given twice or not UTF-8, and for a shape whose
    // bytes do not fit; Error where the file cannot be written.
    SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorDeclaration> tensors,
                      const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

    // The order in which the bytes must come: wider element types first, then by name.
    std::span<const TensorDeclaration> order() const { return tensors_; }

    // Appends row-major bytes of tensor `name`, in pieces of any size.
    // Throws InvalidArgument where another tensor's turn it is or more bytes come than were declared.
    void write(std::string_view name, std::span<const std::byte> bytes) { writer_.write(name, bytes); }

    // Throws InvalidArgument where bytes are still due.
    void commit() { writer_.commit(); }

  private:
    std::vector<TensorDeclaration> tensors_;
    SectionWriter writer_;
};

}  // namespace assay
