#include "workflow/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <system_error>

#include "base/error.h"
#include "base/sha256.h"
#include "text/builtin_text.h"
#include "text/calibration_checks.h"
#include "text/windows.h"

namespace assay {
namespace {

constexpr std::string_view kAllBuiltin = "mixed";

// A covariance of d channels from n tokens has eigenvalues within about ±2 √(d/n) of the true ones
// (Marchenko & Pastur 1967): within ±70 %.
constexpr std::int64_t kTokensPerChannel = 8;

std::vector<TextSource> builtin_sources(std::string_view set) {
    std::vector<TextSource> sources;
    for (const BuiltinCalibrationText& text : builtin_calibration_texts()) {
        if (set == kAllBuiltin || set == text.name)
            sources.push_back({fmt::format("built-in: {}", text.name), text.lines, true});
    }
    return sources;
}

std::vector<TextSource> sources_of(const std::string& set) {
    auto sources = builtin_sources(set);
    if (!sources.empty()) return sources;
    std::error_code ignored;
    if (!std::filesystem::exists(set, ignored)) {
        throw InvalidArgument(fmt::format(
            "--calibration {}: there is no such file or folder, and the built-in sets are c4, code, wiki and "
            "{} (all three)",
            set, kAllBuiltin));
    }
    return open_text_sources(set);
}

std::int64_t widest_input(const Model& model) {
    std::int64_t widest = 0;
    for (const LinearItem& item : model.items()) {
        if (item.block >= 0) widest = std::max(widest, item.in);
    }
    return widest;
}

std::vector<std::int32_t> evaluation_tokens(const Tokenizer& tokenizer,
                                            std::span<const EvaluationWindow> windows) {
    if (windows.empty()) return tokenizer.encode(builtin_evaluation_text(), false);
    std::vector<std::int32_t> ids;
    for (const EvaluationWindow& window : windows)
        ids.insert(ids.end(), window.tokens.begin(), window.tokens.end());
    return ids;
}

std::string unused_bos(const Tokenizer& tokenizer) {
    if (tokenizer.adds_bos() || !tokenizer.bos_id()) return "";
    return tokenizer.token_text(*tokenizer.bos_id()).value_or("");
}

std::vector<CalibrationSource> describe(const DocumentSet& documents) {
    std::vector<CalibrationSource> out;
    for (const TextSource& source : documents.sources()) {
        const auto bytes =
            source.file != nullptr ? source.file->bytes() : std::as_bytes(std::span(source.bytes));
        out.push_back({.name = source.name,
                       .sha256 = sha256_hex(bytes),
                       .bytes = std::ssize(bytes),
                       .documents = documents.documents(out.size())});
    }
    return out;
}

}  // namespace

Calibration build_calibration(const Model& model, const Tokenizer& tokenizer, const CalibrationText& options,
                              std::span<const EvaluationWindow> evaluation, Documents from) {
    const SamplingOptions sampling{.samples = options.samples,
                                   .length = std::min(options.length, model.config().max_positions),
                                   .seed = options.seed,
                                   .documents = from};
    const DocumentSet documents(sources_of(options.set), options.field,
                                sampling_piece_bytes(sampling.length));
    const SampledWindows sampled = sample_windows(documents, tokenizer, sampling);
    const CalibrationFaults faults =
        look_for_faults(sampled.windows, evaluation_tokens(tokenizer, evaluation));
    Calibration out;
    for (const TextSource& source : documents.sources()) {
        if (source.file != nullptr) out.files.push_back(source.file->path());
    }
    for (const auto& tokens : sampled.windows) out.windows.push_back({tokens});
    out.record = {.set = options.set,
                  .sources = describe(documents),
                  .seed = static_cast<std::int64_t>(options.seed),
                  .samples = std::ssize(sampled.windows),
                  .samples_asked = options.samples,
                  .length = sampling.length,
                  .length_asked = options.length,
                  .windows_sha256 = windows_sha256(out.windows),
                  .bos_per_window = sampled.bos,
                  .documents_read = sampled.documents_read,
                  .repeated_documents = sampled.repeated_documents,
                  .joined_windows = sampled.joined_windows,
                  .repeated_share = faults.repeated_share,
                  .overlap_share = faults.overlap_share};
    const CalibrationExpectations expected{
        .asked = sampling,
        .least_tokens = kTokensPerChannel * widest_input(model),
        .evaluation = evaluation.empty() ? std::string(builtin_evaluation_text_name()) : "its windows",
        .unused_bos = unused_bos(tokenizer)};
    for (CalibrationWarning& warning : calibration_warnings(sampled, faults, expected))
        out.record.warnings.push_back({std::move(warning.kind), std::move(warning.text)});
    return out;
}

}  // namespace assay
