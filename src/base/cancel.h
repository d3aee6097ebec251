// Cooperative cancellation: long loops ask between tiles of work.
#pragma once

#include <atomic>

#include "base/error.h"

namespace assay {

class CancelToken {
  public:
    // Async-signal-safe.
    void request() { requested_.store(true, std::memory_order_relaxed); }
    bool requested() const { return requested_.load(std::memory_order_relaxed); }

    // Throws Interrupted once a stop was requested.
    void check() const {
        if (requested()) throw Interrupted();
    }

  private:
    std::atomic<bool> requested_{false};
};

}  // namespace assay
