// The threading context, passed explicitly: a pool that runs fixed tiles of work.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace assay {

// Runs independent tasks on `threads` threads (the caller is one of them). What a task computes must depend
// only on its index, never on the thread or the order: then results are the same bits for any thread count.
// One for_each at a time; a task must not call for_each of the same pool
// (InvalidArgument where there are threads).
class ThreadPool {
  public:
    // threads <= 0: one per available core.
    explicit ThreadPool(int threads = 0);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    int threads() const;

    // Calls task(i) once for each i in [0, count), in any order; returns when all are done. The exception of
    // the lowest-numbered failing task (of those that ran) is rethrown here.
    void for_each(std::int64_t count, const std::function<void(std::int64_t)>& task);

  private:
    struct Shared;
    std::unique_ptr<Shared> shared_;
};

// Splits [0, n) into fixed ranges of `grain` (the last one shorter) and calls body(begin, end) for each.
void parallel_for(ThreadPool& pool, std::int64_t n, std::int64_t grain,
                  const std::function<void(std::int64_t, std::int64_t)>& body);

}  // namespace assay
