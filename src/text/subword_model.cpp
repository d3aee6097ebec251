#include "text/subword_model.h"

#include "text/bpe.h"
#include "text/component.h"
#include "text/unigram.h"

namespace assay {
namespace {

using Model = std::unique_ptr<const SubwordModel>;

constexpr PartKind<Model> kKinds[] = {
    {"BPE", build_bpe},
    {"Unigram", build_unigram},
};

}  // namespace

Model build_subword_model(const Json& config, std::string_view where) {
    return build_part<Model>(config, where, kKinds);
}

}  // namespace assay
