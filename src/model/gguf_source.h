// A GGUF file as a source of weights, under Hugging Face's names and row order.
#pragma once

#include <map>
#include <memory>

#include "container/gguf.h"
#include "model/architectures.h"
#include "model/weight_source.h"

namespace assay {

class GgufSource final : public WeightSource {
  public:
    // What llama.cpp's converter has changed is turned back on reading, as the architecture says (null:
    // unknown, nothing is): names; rows of q and k in interleaved rotary order (within a head of size d, file
    // row 2i + s holds row s·d/2 + i); 1 added to norms; all experts in one tensor [experts, out, in].
    GgufSource(std::shared_ptr<const GgufFile> file, const Architecture* architecture);

    std::vector<StoredTensor> tensors() const override;
    bool contains(std::string_view name) const override { return tensors_.contains(name); }
    Shape shape(std::string_view name) const override;
    std::string place(std::string_view name) const override;
    void read(std::string_view name, std::int64_t first_row, MatrixView<float> out) const override;
    void fetch(std::string_view name) const override;
    void release(std::string_view name) const override;

  private:
    struct Entry {
        const GgufTensor* tensor = nullptr;
        Shape shape;                 // as the model sees it
        std::int64_t first_row = 0;  // of the file's tensor
        std::int64_t head_dim = 0;   // 0: rows are in order
        float offset = 0;            // is added to what is stored
    };

    void add(const std::string& name, const GgufTensor& tensor);
    void add_experts(const std::string& name, const GgufTensor& tensor);
    void insert(const std::string& name, Entry entry);
    const Entry& find(std::string_view name) const;
    std::span<const std::byte> bytes_of(std::string_view name) const;
    static void decode_rows(const Entry& entry, std::int64_t first_row, MatrixView<float> out);
    static std::int64_t file_row(const Entry& entry, std::int64_t row);

    std::shared_ptr<const GgufFile> file_;
    const Architecture* architecture_;
    std::map<std::string, Entry, std::less<>>
        tensors_;  // by Hugging Face's name, or the file's where there is none
};

}  // namespace assay
