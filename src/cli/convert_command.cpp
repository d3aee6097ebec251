// The verb convert.
#include <memory>

#include "cli/command.h"
#include "workflow/workflow.h"

namespace assay::cli {

void add_convert(CLI::App& app, Action& chosen) {
    struct Values {
        ConvertOptions options;
    };
    const auto values = std::make_shared<Values>();
    CLI::App& verb =
        *app.add_subcommand("convert", "a GGUF file or a folder to a Hugging Face safetensors folder");
    verb.footer("Example: assay convert model.gguf model-bf16/ --dtype bf16");
    verb.add_option("MODEL", values->options.model, "what to convert")->required();
    verb.add_option("DIR", values->options.output, "the new folder")->required();
    verb.add_option("--dtype", values->options.dtype, "element type of the output")
        ->check(CLI::IsMember({"bf16", "f16", "f32"}))
        ->capture_default_str();
    verb.callback([&chosen, values] {
        chosen = [values](const Context& context) {
            const auto written = convert_model(values->options, context.progress, context.cancel);
            context.progress.note("wrote " + written.string());
        };
    });
}

}  // namespace assay::cli
