// The verb predict.
#include <memory>

#include "cli/command.h"
#include "workflow/workflow.h"

namespace assay::cli {

void add_predict(CLI::App& app, Action& chosen) {
    struct Values {
        PredictOptions options;
        std::string json;
    };
    const auto values = std::make_shared<Values>();
    CLI::App& verb = *app.add_subcommand(
        "predict", "time and memory that a measurement would take here; a config.json alone is enough");
    verb.footer(
        "Examples:\n  assay predict MODEL --window 2048 --windows 16\n  assay predict "
        "FOLDER-WITH-CONFIG.JSON "
        "--measurement sweep --memory 16");
    add_model_options(verb, values->options.model);
    verb.add_option("--measurement", values->options.measurement,
                    "perplexity; comparison: of two models, or a model treated and not; sweep: every linear "
                    "swapped, as sensitivity and diagnose do")
        ->check(CLI::IsMember({"perplexity", "comparison", "sweep"}))
        ->capture_default_str();
    verb.add_option("--window", values->options.window, "tokens of a window")
        ->check(CLI::Range(2, 1 << 24))
        ->capture_default_str();
    verb.add_option("--windows", values->options.windows, "number of windows")
        ->check(CLI::Range(1, 1 << 20))
        ->capture_default_str();
    verb.add_option("--context", values->options.context, "leading positions that are not scored")
        ->check(CLI::Range(0, 1 << 24))
        ->capture_default_str();
    add_json_option(verb, values->json);
    verb.callback([&chosen, values] {
        chosen = [values](const Context& context) {
            show(predict(values->options, context.progress, context.cancel), values->json);
        };
    });
}

}  // namespace assay::cli
