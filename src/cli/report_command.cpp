// The verb report.
#include <memory>

#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "cli/command.h"
#include "report/html_report.h"

namespace assay::cli {

void add_report(CLI::App& app, Action& chosen) {
    struct Values {
        std::filesystem::path results;
        std::filesystem::path output;
    };
    const auto values = std::make_shared<Values>();
    CLI::App& verb = *app.add_subcommand("report", "the text or HTML of an earlier run, from its JSON alone");
    verb.footer("Example: assay report results.json -o report.html");
    verb.add_option("RESULTS", values->results, "JSON that another verb wrote")->required();
    verb.add_option("-o,--output", values->output, "write HTML to this file instead of printing text");
    verb.callback([&chosen, values] {
        chosen = [values](const Context&) {
            const Envelope envelope = parse_results(read_file(values->results), values->results.string());
            if (values->output.empty())
                show(envelope, "");
            else
                write_file(values->output, html_report(envelope));
        };
    });
}

}  // namespace assay::cli
