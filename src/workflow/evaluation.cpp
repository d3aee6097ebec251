#include "workflow/evaluation.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "text/windows.h"

namespace assay {
namespace {

constexpr std::string_view kGptq = "gptq", kSliding = "sliding";

// The BOS that the tokenizer itself puts in front of a text.
std::optional<std::int32_t> bos_of(const Tokenizer& tokenizer) {
    return tokenizer.adds_bos() ? tokenizer.bos_id() : std::nullopt;
}

Evaluation gptq(const Tokenizer& tokenizer, std::string_view text, const EvaluationText& options,
                WindowOptions window) {
    const auto bos = options.bos_per_window ? bos_of(tokenizer) : std::nullopt;
    if (bos) --window.window_tokens;  // BOS takes a token's place, so that lengths stay as asked for
    Evaluation evaluation{gptq_windows(tokenizer.encode(text, !bos), window)};
    for (EvaluationWindow& w : evaluation.windows) {
        w.context = options.context;
        if (bos) w.tokens.insert(w.tokens.begin(), *bos);
    }
    evaluation.bos_per_window = bos.has_value();
    return evaluation;
}

Evaluation llama_cpp(const Tokenizer& tokenizer, std::string_view text, const EvaluationText&,
                     WindowOptions window) {
    const auto bos = bos_of(tokenizer);
    return {.windows = llama_cpp_windows(tokenizer.encode(text, true), window, bos),
            .bos_per_window = bos.has_value()};
}

Evaluation sliding(const Tokenizer& tokenizer, std::string_view text, const EvaluationText& options,
                   WindowOptions window) {
    const std::int64_t stride = options.stride.value_or(window.window_tokens / 2);
    return {.windows = sliding_windows(tokenizer.encode(text, true), window, stride), .stride = stride};
}

struct Protocol {
    std::string_view name;
    std::int64_t default_window;
    Evaluation (*cut)(const Tokenizer&, std::string_view, const EvaluationText&, WindowOptions);
};

constexpr Protocol kProtocols[] = {
    {kGptq, 2048, gptq}, {"llama.cpp", 512, llama_cpp}, {kSliding, 2048, sliding}};

const Protocol& protocol_of(const EvaluationText& options) {
    for (const Protocol& protocol : kProtocols) {
        if (protocol.name == options.protocol) return protocol;
    }
    throw InvalidArgument(
        fmt::format("--protocol {} is unknown; gptq, llama.cpp and sliding exist", options.protocol));
}

}  // namespace

void check_evaluation_text(const EvaluationText& options) {
    const Protocol& protocol = protocol_of(options);
    if (options.text && options.ids) throw InvalidArgument("give --text or --ids, not both");
    if (options.stride && protocol.name != kSliding)
        throw InvalidArgument("--stride goes with --protocol sliding only");
    if (protocol.name == kGptq) return;
    if (options.ids) {
        throw InvalidArgument(fmt::format(
            "--ids gives whole windows, which --protocol {} makes of a text: give --text", protocol.name));
    }
    if (options.context != 0) {
        throw InvalidArgument(
            fmt::format("--context goes with --protocol gptq only; {} says itself which positions are scored",
                        protocol.name));
    }
}

Evaluation evaluate_text(const Tokenizer& tokenizer, std::string_view text, const EvaluationText& options,
                         std::int64_t max_positions) {
    const Protocol& protocol = protocol_of(options);
    const std::int64_t asked = options.window.value_or(protocol.default_window);
    Evaluation evaluation =
        protocol.cut(tokenizer, text, options, {std::min(asked, max_positions), options.max_windows});
    evaluation.protocol = protocol.name;
    return evaluation;
}

}  // namespace assay
