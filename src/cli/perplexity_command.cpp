// The verb perplexity.
#include <memory>

#include "cli/command.h"
#include "workflow/workflow.h"

namespace assay::cli {

void add_perplexity(CLI::App& app, Action& chosen) {
    struct Values {
        PerplexityOptions options;
        std::string json;
    };
    const auto values = std::make_shared<Values>();
    CLI::App& verb = *app.add_subcommand(
        "perplexity", "perplexity on a text; beside a reference also KL divergence and differences");
    verb.footer(
        "Examples:\n  assay perplexity MODEL --max-windows 20\n  assay perplexity QUANTIZED.gguf --against "
        "MODEL --window 512\n  assay perplexity MODEL.gguf --protocol llama.cpp --max-windows 20\n  assay "
        "perplexity "
        "MODEL --protocol sliding --window 2048 --stride 512\n  assay perplexity MODEL --treatment "
        "int4-g64\n  "
        "assay perplexity MODEL --treatment 'int4-g64:gptq(act-order)' --calibration-ids ids.json\n  "
        "assay perplexity MODEL --treatment int8-sym-channel+a8-token\n  "
        "assay perplexity MODEL --treatment 'int8-sym-channel+a8-tensor:smooth(alpha=0.8)' --calibration c4");
    add_model_options(verb, values->options.model);
    add_text_options(verb, values->options.text);
    verb.add_option(
            "--protocol", values->options.text.protocol,
            "how the text is cut and what is scored: gptq, whole windows one after another; llama.cpp, "
            "the second half of each; sliding, windows that overlap, each token scored once")
        ->check(CLI::IsMember({"gptq", "llama.cpp", "sliding"}))
        ->capture_default_str();
    verb.add_option("--stride", values->options.text.stride,
                    "of sliding: tokens from one window's begin to the next one's; without it half a window")
        ->check(CLI::Range(1, 1 << 24));
    verb.add_option("--against", values->options.against, "the reference model to compare with");
    verb.add_option("--treatment", values->options.treatment,
                    "treat all linears of the blocks and compare with the model itself");
    add_calibration_options(verb, values->options.calibration);
    verb.add_option(
        "--calibration-ids", values->options.calibration_ids,
        "of a treatment that looks at inputs, as gptq: windows of the text that it is calibrated on, "
        "a JSON array, each an array of token ids; instead of --calibration");
    verb.add_option("--seed", values->options.seed, "of the intervals' bootstrap and of yaqa's labels")
        ->capture_default_str();
    add_json_option(verb, values->json);
    verb.callback([&chosen, values] {
        chosen = [values](const Context& context) {
            show(measure_perplexity(values->options, context.progress, context.cancel), values->json);
        };
    });
}

}  // namespace assay::cli
