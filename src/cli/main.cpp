// The program: parses, runs the chosen verb, and turns errors into exit codes. The one place that catches.
#include <fmt/format.h>

#include <csignal>

#include "base/error.h"
#include "cli/command.h"
#include "cli/terminal_progress.h"

namespace {

enum ExitCode { kOk = 0, kFailure = 1, kUsage = 2, kBadInput = 3, kNumeric = 4, kInterrupted = 130 };

assay::CancelToken interrupt_token;  // the signal handler can reach nothing else

void on_interrupt(int) {
    if (interrupt_token.requested()) std::_Exit(kInterrupted);  // asked twice: at once
    interrupt_token.request();
}

int fail(assay::cli::TerminalProgress& progress, const char* text, ExitCode code) {
    progress.abandon();
    fmt::print(stderr, "assay: {}\n", text);
    return code;
}

int run(const assay::cli::Action& chosen) {
    assay::cli::TerminalProgress progress;
    try {
        chosen({progress, interrupt_token});
        return kOk;
    } catch (const assay::Interrupted& e) {
        return fail(progress, e.what(), kInterrupted);
    } catch (const assay::NumericError& e) {
        return fail(progress, e.what(), kNumeric);
    } catch (const assay::FormatError& e) {
        return fail(progress, e.what(), kBadInput);
    } catch (const assay::InvalidArgument& e) {
        return fail(progress, e.what(), kUsage);
    } catch (const std::exception& e) {
        return fail(progress, e.what(), kFailure);
    }
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Assay finds out what quantization breaks in a language model, and proves it by measuring.",
                 "assay");
    app.set_version_flag("--version", ASSAY_VERSION);
    app.require_subcommand(1);
    app.footer("The main job: assay diagnose MODEL");
    assay::cli::Action chosen;
    assay::cli::add_diagnose(app, chosen);
    assay::cli::add_inspect(app, chosen);
    assay::cli::add_perplexity(app, chosen);
    assay::cli::add_weights(app, chosen);
    assay::cli::add_activations(app, chosen);
    assay::cli::add_sensitivity(app, chosen);
    assay::cli::add_blame(app, chosen);
    assay::cli::add_compare(app, chosen);
    assay::cli::add_eval(app, chosen);
    assay::cli::add_predict(app, chosen);
    assay::cli::add_convert(app, chosen);
    assay::cli::add_report(app, chosen);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? kOk : kUsage;
    }
    std::signal(SIGINT, on_interrupt);
    std::signal(SIGTERM, on_interrupt);
    return run(chosen);
}
