// Progress on stderr: a bar with the time left on a terminal, lines otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/progress.h"

namespace assay::cli {

class TerminalProgress final : public Progress {
  public:
    TerminalProgress();

    void begin(std::string_view phase, std::uint64_t total) override;
    void advance(std::uint64_t units) override;
    void end() override;
    void note(std::string_view line) override;

    // Clears an unfinished bar, before an error is printed.
    void abandon();

  private:
    using Clock = std::chrono::steady_clock;
    void draw(Clock::time_point now);
    std::string status(Clock::time_point now) const;

    bool terminal_;
    bool drawn_ = false;
    std::string phase_;
    std::uint64_t total_ = 0, done_ = 0;
    Clock::time_point start_{}, last_{};
};

}  // namespace assay::cli
