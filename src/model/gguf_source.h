// A GGUF file as a source of weights, under Hugging Face's names and row order.
#pragma once

#include <map>
#include <memory>

#include "container/gguf.h"
#include "model/weight_source.h"

namespace assay {

class GgufSource final : public WeightSource {
  public:
    // `permuted_qk`: rows of q and k are in llama.cpp's interleaved rotary order (within a head of size d,
    // file row 2i + s holds row s·d/2 + i) and are turned back on reading.
    GgufSource(std::shared_ptr<const GgufFile> file, bool permuted_qk);

    std::vector<StoredTensor> tensors() const override;
    bool contains(std::string_view name) const override { return tensors_.contains(name); }
    Shape shape(std::string_view name) const override;
    std::string place(std::string_view name) const override;
    void read(std::string_view name, std::int64_t first_row, MatrixView<float> out) const override;

  private:
    struct Entry {
        const GgufTensor* tensor = nullptr;
        std::int64_t head_dim = 0;  // 0: rows are in order
    };

    const Entry& find(std::string_view name) const;
    static void decode_rows(const Entry& entry, std::int64_t first_row, MatrixView<float> out);
    static std::int64_t file_row(const Entry& entry, std::int64_t row);

    std::shared_ptr<const GgufFile> file_;
    std::map<std::string, Entry, std::less<>>
        tensors_;  // by Hugging Face's name, or the file's where there is none
};

}  // namespace assay
