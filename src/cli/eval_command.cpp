// The verb eval.
#include <memory>

#include "cli/command.h"
#include "workflow/workflow.h"

namespace assay::cli {

void add_eval(CLI::App& app, Action& chosen) {
    struct Values {
        EvalOptions options;
        std::string json;
    };
    const auto values = std::make_shared<Values>();
    EvalOptions& options = values->options;
    CLI::App& verb = *app.add_subcommand(
        "eval", "accuracy on multiple-choice questions; beside a reference also which answers change");
    verb.footer(
        "Examples:\n  assay eval MODEL --task mmlu --task-data mmlu/ --subjects 'anatomy|astronomy' "
        "--max-questions "
        "100\n  assay eval MODEL --task hellaswag.jsonl --max-questions 200 --treatment int4-g64\n  assay "
        "eval "
        "QUANTIZED.gguf --against MODEL --task continuation --text book.txt");
    add_model_options(verb, options.model);
    add_task_options(verb, options)->required();
    verb.add_option("--text", options.text,
                    "of continuation: a UTF-8 text file; without it the built-in WikiText-2 test text");
    verb.add_option("--seed", options.seed, "of continuation's questions")->capture_default_str();
    verb.add_option("--against", options.against, "the reference model to compare with");
    verb.add_option("--treatment", options.treatment,
                    "treat all linears of the blocks and compare with the model itself");
    add_json_option(verb, values->json);
    verb.callback([&chosen, values] {
        chosen = [values](const Context& context) {
            show(measure_task(values->options, context.progress, context.cancel), values->json);
        };
    });
}

}  // namespace assay::cli
