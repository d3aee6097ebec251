// The verb sensitivity.
#include <memory>

#include "cli/command.h"
#include "workflow/workflow.h"

namespace assay::cli {

void add_sensitivity(CLI::App& app, Action& chosen) {
    struct Values {
        SweepOptions options;
        std::string json;
    };
    const auto values = std::make_shared<Values>();
    CLI::App& verb = *app.add_subcommand("sensitivity", "the damage of treating each linear alone, ranked");
    verb.footer(
        "Examples:\n  assay sensitivity MODEL --treatment int4-g64 --treatment int8-channel\n  assay "
        "sensitivity "
        "MODEL --method exact --linears 'layers\\.0\\.|down_proj' --json sweep.json");
    add_model_options(verb, values->options.model);
    add_text_options(verb, values->options.text);
    add_treatments_option(verb, values->options.treatments);
    add_linears_option(verb, values->options.linears);
    add_sensitivity_options(verb, values->options);
    verb.add_option(
            "--extend-to", values->options.extend_to,
            "hybrid: measure swaps on up to so many windows, --max-windows at a time, while the order of "
            "two neighbours is open: the paired 95 % interval of their difference holds 0 and is wider than "
            "± 10 % of the larger damage")
        ->check(CLI::PositiveNumber);
    add_json_option(verb, values->json);
    verb.callback([&chosen, values] {
        chosen = [values](const Context& context) {
            show(measure_sensitivity(values->options, context.progress, context.cancel), values->json);
        };
    });
}

}  // namespace assay::cli
