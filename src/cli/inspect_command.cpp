// The verb inspect.
#include <memory>

#include "cli/command.h"
#include "workflow/workflow.h"

namespace assay::cli {

void add_inspect(CLI::App& app, Action& chosen) {
    struct Values {
        ModelOptions options;
        std::string json;
    };
    const auto values = std::make_shared<Values>();
    CLI::App& verb =
        *app.add_subcommand("inspect", "architecture, tensors, types, sizes, and what looks wrong");
    verb.footer("Example: assay inspect SmolLM2-135M/");
    add_model_options(verb, values->options);
    add_json_option(verb, values->json);
    verb.callback([&chosen, values] {
        chosen = [values](const Context& context) {
            show(inspect_model(values->options, context.progress, context.cancel), values->json);
        };
    });
}

}  // namespace assay::cli
