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
#include "workflow/calibration_mix.h"

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

bool is_path(const std::string& set) {
    std::error_code ignored;
    return std::filesystem::exists(set, ignored);
}

std::vector<TextSource> sources_of(const std::string& set) {
    auto sources = builtin_sources(set);
    if (!sources.empty()) return sources;
    if (!is_path(set)) {
        throw InvalidArgument(fmt::format(
            "--calibration {}: there is no such file or folder, and the built-in sets are c4, code, wiki and "
            "{} (all three); a mix is written c4:2,code:1",
            set, kAllBuiltin));
    }
    return open_text_sources(set);
}

// What a set is mixed of; a path may hold a ':'.
std::vector<CalibrationShare> shares_of(const std::string& set) {
    return is_path(set) ? std::vector<CalibrationShare>{{set, 1}} : parse_calibration_mix(set);
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

void describe(const DocumentSet& documents, Calibration& out) {
    for (std::size_t i = 0; i < documents.sources().size(); ++i) {
        const TextSource& source = documents.sources()[i];
        const auto bytes =
            source.file != nullptr ? source.file->bytes() : std::as_bytes(std::span(source.bytes));
        out.record.sources.push_back({.name = source.name,
                                      .sha256 = sha256_hex(bytes),
                                      .bytes = std::ssize(bytes),
                                      .documents = documents.documents(i)});
        if (source.file != nullptr) out.files.push_back(source.file->path());
    }
}

// Windows of all shares of the set, whose sources are noted in `out`.
SampledWindows sample_shares(const Tokenizer& tokenizer, const CalibrationText& options,
                             const SamplingOptions& sampling, Calibration& out) {
    const std::vector<CalibrationShare> shares = shares_of(options.set);
    const std::vector<std::int64_t> counts = windows_of_shares(sampling.samples, shares);
    std::vector<SampledWindows> sampled;
    for (std::size_t i = 0; i < shares.size(); ++i) {
        const DocumentSet documents(sources_of(shares[i].set), options.field,
                                    sampling_piece_bytes(sampling.length));
        describe(documents, out);
        SamplingOptions own = sampling;
        own.samples = counts[i];
        if (shares.size() == 1 || counts[i] > 0) sampled.push_back(sample_windows(documents, tokenizer, own));
    }
    return interleave(std::move(sampled));
}

}  // namespace

Calibration build_calibration(const Model& model, const Tokenizer& tokenizer, const CalibrationText& options,
                              std::span<const EvaluationWindow> evaluation, Documents from) {
    const SamplingOptions sampling{.samples = options.samples,
                                   .length = std::min(options.length, model.config().max_positions),
                                   .seed = options.seed,
                                   .documents = from};
    Calibration out;
    const SampledWindows sampled = sample_shares(tokenizer, options, sampling, out);
    const CalibrationFaults faults =
        look_for_faults(sampled.windows, evaluation_tokens(tokenizer, evaluation));
    for (const auto& tokens : sampled.windows) out.windows.push_back({tokens});
    out.record = {.set = options.set,
                  .sources = std::move(out.record.sources),
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
