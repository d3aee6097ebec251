#include "workflow/tokenizer_files.h"

#include "base/error.h"
#include "base/mapped_file.h"
#include "container/gguf.h"
#include "text/gguf_vocabulary.h"

namespace assay {

Tokenizer load_tokenizer(const ModelFiles& files) {
    if (files.format == "gguf") {
        return Tokenizer::from_gguf(read_gguf_vocabulary(GgufFile::open(files.path)), files.path.string());
    }
    const auto path = files.path / "tokenizer.json";
    if (!std::filesystem::exists(path)) {
        throw FormatError(path.string() +
                          ": missing; put the model's tokenizer.json there, or give token ids with --ids");
    }
    return Tokenizer::from_json(read_file(path), path.string());
}

}  // namespace assay
