// Progress into a file: only what a log should hold.
#include "cli/terminal_progress.h"

#include <gtest/gtest.h>

#include <functional>

namespace assay::cli {
namespace {

// What it prints to a stderr that is no terminal.
std::string printed(const std::function<void(TerminalProgress&)>& use) {
    testing::internal::CaptureStderr();
    TerminalProgress progress;
    use(progress);
    return testing::internal::GetCapturedStderr();
}

TEST(TerminalProgress, ShortWorkLeavesNothingInALog) {
    EXPECT_EQ(printed([](TerminalProgress& progress) {
                  progress.begin("forward", 10);
                  for (int i = 0; i < 10; ++i) progress.advance(1);
                  progress.end();
              }),
              "");
}

TEST(TerminalProgress, NotesAreLines) {
    EXPECT_EQ(printed([](TerminalProgress& progress) {
                  progress.begin("forward", 0);
                  progress.advance(1);
                  progress.note("one");
                  progress.note("two");
              }),
              "one\ntwo\n");
}

TEST(TerminalProgress, AbandoningWhatWasNeverDrawnPrintsNothing) {
    EXPECT_EQ(printed([](TerminalProgress& progress) { progress.abandon(); }), "");
}

}  // namespace
}  // namespace assay::cli
