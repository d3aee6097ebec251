#include "records/calibrated_linear.h"

#include "records/fields.h"
#include "records/result_fields.h"

namespace assay {

std::string calibration_text(const std::vector<CalibratedLinear>& linears) {
    Json array = Json::array();
    for (const CalibratedLinear& linear : linears) {
        Json object = Json::object();
        FieldWriter writer(object);
        fields(writer, linear);
        array.push_back(std::move(object));
    }
    return array.dump();
}

std::vector<CalibratedLinear> parse_calibration(std::string_view text, const std::string& what) {
    const Json array = parse_json(text, what);
    if (!array.is_array()) throw FormatError(what + " is not an array");
    std::vector<CalibratedLinear> linears;
    for (const Json& object : array) {
        FieldReader reader(object, what + "[" + std::to_string(linears.size()) + "]");
        fields(reader, linears.emplace_back());
    }
    return linears;
}

}  // namespace assay
