#include "text/builtin_text.h"

#include <array>
#include <cstddef>

extern "C" {
// Defined in builtin_text.S.
extern const char assay_evaluation_text_begin[], assay_evaluation_text_end[];
extern const char assay_calibration_c4_begin[], assay_calibration_c4_end[];
extern const char assay_calibration_code_begin[], assay_calibration_code_end[];
extern const char assay_calibration_wiki_begin[], assay_calibration_wiki_end[];
}

namespace assay {
namespace {

std::string_view between(const char* begin, const char* end) {
    return {begin, static_cast<std::size_t>(end - begin)};
}

}  // namespace

std::string_view builtin_evaluation_text() {
    return between(assay_evaluation_text_begin, assay_evaluation_text_end);
}

std::string_view builtin_evaluation_text_name() {
    return "wikitext-2-raw test";
}

std::span<const BuiltinCalibrationText> builtin_calibration_texts() {
    static const std::array<BuiltinCalibrationText, 3> texts = {
        {{"c4", between(assay_calibration_c4_begin, assay_calibration_c4_end)},
         {"code", between(assay_calibration_code_begin, assay_calibration_code_end)},
         {"wiki", between(assay_calibration_wiki_begin, assay_calibration_wiki_end)}}};
    return texts;
}

}  // namespace assay
