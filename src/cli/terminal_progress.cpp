#include "cli/terminal_progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace assay::cli {
namespace {

constexpr double kTerminalInterval = 0.2, kLineInterval = 15;  // seconds between updates
constexpr int kBarWidth = 30;

std::string clock_text(double seconds) {
    const auto s = static_cast<long>(seconds + 0.5);
    return s >= 3600 ? fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
                     : fmt::format("{}:{:02}", s / 60, s % 60);
}

double seconds_between(std::chrono::steady_clock::time_point a, std::chrono::steady_clock::time_point b) {
    return std::chrono::duration<double>(b - a).count();
}

}  // namespace

TerminalProgress::TerminalProgress() : terminal_(::isatty(STDERR_FILENO) != 0) {}

void TerminalProgress::begin(std::string_view phase, std::uint64_t total) {
    phase_ = phase;
    total_ = std::max<std::uint64_t>(total, 1);
    done_ = 0;
    start_ = last_ = Clock::now();
}

void TerminalProgress::advance(std::uint64_t units) {
    done_ += units;
    const auto now = Clock::now();
    if (seconds_between(last_, now) < (terminal_ ? kTerminalInterval : kLineInterval)) return;
    last_ = now;
    draw(now);
}

std::string TerminalProgress::status(Clock::time_point now) const {
    const double share = std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_));
    const double spent = seconds_between(start_, now);
    const std::string left = share > 0 ? clock_text(spent * (1 - share) / share) : "?";
    return fmt::format("{:3.0f} %  {} spent, {} left", 100 * share, clock_text(spent), left);
}

void TerminalProgress::draw(Clock::time_point now) {
    if (!terminal_) {
        fmt::print(stderr, "{}: {}\n", phase_, status(now));
        return;
    }
    const auto filled = static_cast<int>(kBarWidth * std::min(done_, total_) / total_);
    fmt::print(stderr, "\r\033[K{} [{}{}] {}", phase_, std::string(static_cast<std::size_t>(filled), '#'),
               std::string(static_cast<std::size_t>(kBarWidth - filled), ' '), status(now));
    std::fflush(stderr);
    drawn_ = true;
}

void TerminalProgress::abandon() {
    if (drawn_) fmt::print(stderr, "\r\033[K");
    drawn_ = false;
}

void TerminalProgress::end() {
    abandon();
}

void TerminalProgress::note(std::string_view line) {
    abandon();
    fmt::print(stderr, "{}\n", line);
}

}  // namespace assay::cli
