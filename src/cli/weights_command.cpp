// The verb weights.
#include <memory>

#include "cli/command.h"
#include "workflow/workflow.h"

namespace assay::cli {

void add_weights(CLI::App& app, Action& chosen) {
    struct Values {
        WeightsOptions options;
        std::string json;
    };
    const auto values = std::make_shared<Values>();
    CLI::App& verb =
        *app.add_subcommand("weights", "reconstruction error and outliers of every linear; needs no text");
    verb.footer("Example: assay weights MODEL --treatment int4-sym-g64");
    add_model_options(verb, values->options.model);
    add_treatment_option(verb, values->options.treatment);
    add_linears_option(verb, values->options.linears);
    add_json_option(verb, values->json);
    verb.callback([&chosen, values] {
        chosen = [values](const Context& context) {
            show(measure_weights(values->options, context.progress, context.cancel), values->json);
        };
    });
}

}  // namespace assay::cli
