// The verb activations.
#include <memory>

#include "cli/command.h"
#include "workflow/workflow.h"

namespace assay::cli {

void add_activations(CLI::App& app, Action& chosen) {
    struct Values {
        ActivationsOptions options;
        std::string json;
    };
    const auto values = std::make_shared<Values>();
    CLI::App& verb = *app.add_subcommand(
        "activations",
        "what goes into every linear and comes out: outlier channels, massive tokens, f16 range");
    verb.footer(
        "Examples:\n  assay activations MODEL\n  assay activations MODEL --calibration texts/ --samples 32\n"
        "  assay activations MODEL --calibration web.jsonl --calibration-field content\n  assay activations "
        "MODEL --text book.txt --window 512 --max-windows 16 --linears down_proj");
    add_model_options(verb, values->options.model);
    add_calibration_options(verb, values->options.calibration);
    verb.add_option("--seed", values->options.calibration.seed, "of the choice of calibration windows")
        ->capture_default_str();
    EvaluationText& text = values->options.text;
    CLI::Option* calibration = verb.get_option("--calibration");
    verb.add_option("--text", text.text, "a UTF-8 text file, in windows one after another, instead of a set")
        ->excludes(calibration);
    verb.add_option("--ids", text.ids,
                    "a JSON array of windows, each an array of token ids, instead of a set")
        ->excludes(calibration);
    verb.add_option("--window", text.window, "tokens of a window of --text; without it 2048")
        ->check(CLI::Range(2, 1 << 24));
    verb.add_option("--max-windows", text.max_windows, "of --text and --ids at most so many; 0: all")
        ->check(CLI::Range(0, 1 << 30))
        ->capture_default_str();
    add_linears_option(verb, values->options.linears);
    add_json_option(verb, values->json);
    verb.callback([&chosen, values] {
        chosen = [values](const Context& context) {
            show(measure_activations(values->options, context.progress, context.cancel), values->json);
        };
    });
}

}  // namespace assay::cli
