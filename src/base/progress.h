// Where long work reports how far it is; the CLI draws bars, tests and libraries pass silent_progress().
#pragma once

#include <cstdint>
#include <string_view>

namespace assay {

// Called from the thread that runs the work, between tiles. Implementations must be cheap.
class Progress {
  public:
    virtual ~Progress() = default;

    // A new phase of `total` units (e.g. tokens x blocks).
    virtual void begin(std::string_view phase, std::uint64_t total) = 0;
    virtual void advance(std::uint64_t units) = 0;
    virtual void end() = 0;
    // One line of information for the log.
    virtual void note(std::string_view line) = 0;
};

// Discards everything.
Progress& silent_progress();

}  // namespace assay
