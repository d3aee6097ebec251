// Writing and reading the JSON document of a run.
#include "records/envelope.h"

#include <array>
#include <string>
#include <utility>

#include "base/error.h"
#include "records/fields.h"
#include "records/result_fields.h"

namespace assay {
namespace {

// In the order of Result's alternatives.
constexpr std::array<std::string_view, std::variant_size_v<Result>> kCommands = {
    "inspect", "weights", "perplexity",  "sensitivity", "diagnose",           "predict",
    "blame",   "eval",    "activations", "compare",     "compare calibration"};

std::string command_list() {
    std::string list;
    for (std::string_view command : kCommands) list += (list.empty() ? "" : ", ") + std::string(command);
    return list;
}

// Reads into the alternative that `command` names; I walks the alternatives.
template <std::size_t I = 0>
Result read_result(std::string_view command, const Json& json, const std::string& what) {
    if constexpr (I == std::variant_size_v<Result>) {
        throw FormatError(what + ": unknown command \"" + std::string(command) + "\"; known are " +
                          command_list());
    } else {
        if (command != kCommands[I]) return read_result<I + 1>(command, json, what);
        std::variant_alternative_t<I, Result> result;
        FieldReader reader(json, json_path(what, "result"));
        fields(reader, result);
        return Result(std::in_place_index<I>, std::move(result));
    }
}

void check_schema(const Json& document, const std::string& what) {
    const Json* schema = optional_member(document, "schema", what);
    if (schema == nullptr)
        throw FormatError(what + ": field \"schema\" is missing: this is not a result of assay");
    if (*schema != kResultsSchema)
        throw FormatError(what + ": schema " + schema->dump() + ", but this assay reads schema " +
                          std::to_string(kResultsSchema) +
                          ": use the version of assay that wrote it, or run again");
}

}  // namespace

std::string_view command_of(const Result& result) {
    return kCommands[result.index()];
}

std::string results_text(const Envelope& envelope) {
    Json document = Json::object();
    FieldWriter writer(document);
    fields(writer, envelope);
    document["schema"] = kResultsSchema;
    document["command"] = command_of(envelope.result);
    Json& result = document["result"] = Json::object();
    FieldWriter result_writer(result);
    std::visit([&](const auto& record) { fields(result_writer, record); }, envelope.result);
    return document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Envelope parse_results(std::string_view text, std::string_view what) {
    const std::string name(what);
    const Json document = parse_json(text, what);
    Envelope envelope;
    FieldReader reader(document, name);
    check_schema(document, name);
    fields(reader, envelope);
    envelope.result = read_result(require_string(document, "command", name),
                                  require_member(document, "result", name), name);
    return envelope;
}

}  // namespace assay
