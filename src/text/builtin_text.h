// Texts inside the program, so that measuring needs no download.
#pragma once

#include <span>
#include <string_view>

namespace assay {

// The test split of WikiText-2 raw (Merity et al. 2016; CC BY-SA 4.0), the file
// data/wikitext-2-raw/wiki.test.raw.
std::string_view builtin_evaluation_text();

// Its name in results: "wikitext-2-raw test".
std::string_view builtin_evaluation_text_name();

struct BuiltinCalibrationText {
    std::string_view name;   // "c4", "code", "wiki"
    std::string_view lines;  // JSON objects, one a line, with a member "text"
};

// The files data/calibration/NAME.jsonl; its README tells what they are and their licences.
std::span<const BuiltinCalibrationText> builtin_calibration_texts();

}  // namespace assay
