// Reads a block's tensors from the disk while the block before it is computed.
#pragma once

#include <cstdint>
#include <future>
#include <string>
#include <vector>

#include "model/model.h"

namespace assay {

class Prefetcher {
  public:
    explicit Prefetcher(const Model& model) : model_(model) {}
    ~Prefetcher() { wait(); }
    Prefetcher(const Prefetcher&) = delete;
    Prefetcher& operator=(const Prefetcher&) = delete;

    // Begins to read a block; one at a time. A block before the first or beyond the last is nothing.
    void start(std::int64_t block);

    // Until the block that was begun is read. Returns the seconds that this took.
    double wait();

  private:
    const Model& model_;
    std::future<void> running_;
};

// Full names of a block's tensors.
std::vector<std::string> block_tensor_names(const Model& model, std::int64_t block);

}  // namespace assay
