// Scratch memory that tasks borrow, so that no task pays for fresh pages.
#pragma once

#include <mutex>
#include <vector>

#include "compute/cpu/aligned.h"

namespace assay::compute {

class ScratchPool {
  public:
    struct Block {
        AlignedFloats floats;
        std::int64_t size = 0;
    };

    Block take(std::int64_t floats) {
        Block block;
        {
            const std::lock_guard lock(mutex_);
            if (!free_.empty()) {
                block = std::move(free_.back());
                free_.pop_back();
            }
        }
        if (block.size < floats) block = {aligned_floats(floats), floats};
        return block;
    }
    void put(Block block) {
        const std::lock_guard lock(mutex_);
        free_.push_back(std::move(block));
    }

  private:
    std::mutex mutex_;
    std::vector<Block> free_;
};

}  // namespace assay::compute
