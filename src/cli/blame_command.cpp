// The verb blame.
#include <memory>

#include "cli/command.h"
#include "workflow/workflow.h"

namespace assay::cli {

void add_blame(CLI::App& app, Action& chosen) {
    struct Values {
        BlameOptions options;
        std::string json;
    };
    const auto values = std::make_shared<Values>();
    CLI::App& verb = *app.add_subcommand(
        "blame", "which tensors, heads and channels of a quantized checkpoint or finetune cause its damage");
    verb.footer(
        "Examples:\n  assay blame QUANTIZED.gguf --reference MODEL\n  assay blame FINETUNE --reference MODEL "
        "--max-windows 16 --top 10 --json blame.json\n  assay blame QUANTIZED.gguf --reference MODEL "
        "--method "
        "exact --linears 'v_proj|down_proj'\nMODEL is the checkpoint; both models need the same "
        "architecture, "
        "shapes and vocabulary, and may be stored in any way.");
    add_model_options(verb, values->options.model);
    verb.add_option("--reference", values->options.reference, "the model that the checkpoint was made from")
        ->required();
    add_text_options(verb, values->options.text);
    add_linears_option(verb, values->options.linears);
    add_method_options(verb, values->options.method, values->options.top, values->options.seed);
    add_json_option(verb, values->json);
    verb.callback([&chosen, values] {
        chosen = [values](const Context& context) {
            show(blame(values->options, context.progress, context.cancel), values->json);
        };
    });
}

}  // namespace assay::cli
