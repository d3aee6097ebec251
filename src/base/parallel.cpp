#include "base/parallel.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

#include "base/checked.h"
#include "base/error.h"

namespace assay {
namespace {

// The pool whose task this thread is in: a call of its for_each from there would wait for itself.
thread_local const void* inside_pool = nullptr;

}  // namespace

struct ThreadPool::Shared {
    std::mutex mutex;
    std::condition_variable wake;
    std::condition_variable done;
    std::vector<std::thread> workers;
    bool stop = false;
    std::uint64_t generation = 0;  // counts for_each calls, so that a worker joins each one once
    int busy = 0;                  // workers still inside the current call

    const std::function<void(std::int64_t)>* task = nullptr;
    std::int64_t count = 0;
    std::atomic<std::int64_t> next{0};
    std::exception_ptr error;
    std::int64_t error_index = std::numeric_limits<std::int64_t>::max();

    void run_tasks() {
        inside_pool = this;
        for (std::int64_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) {
            try {
                (*task)(i);
            } catch (...) {
                const std::lock_guard lock(mutex);
                if (i < error_index) {
                    error_index = i;
                    error = std::current_exception();
                }
                next.store(count);  // start no more
            }
        }
        inside_pool = nullptr;
    }

    void work() {
        std::uint64_t seen = 0;
        std::unique_lock lock(mutex);
        for (;;) {
            wake.wait(lock, [&] { return stop || generation != seen; });
            if (stop) return;
            seen = generation;
            lock.unlock();
            run_tasks();
            lock.lock();
            if (--busy == 0) done.notify_one();
        }
    }
};

ThreadPool::ThreadPool(int threads) : shared_(std::make_unique<Shared>()) {
    if (threads <= 0) threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    for (int i = 1; i < threads; ++i) shared_->workers.emplace_back([s = shared_.get()] { s->work(); });
}

ThreadPool::~ThreadPool() {
    {
        const std::lock_guard lock(shared_->mutex);
        shared_->stop = true;
    }
    shared_->wake.notify_all();
    for (std::thread& worker : shared_->workers) worker.join();
}

int ThreadPool::threads() const {
    return static_cast<int>(shared_->workers.size()) + 1;
}

void ThreadPool::for_each(std::int64_t count, const std::function<void(std::int64_t)>& task) {
    if (count <= 0) return;
    Shared& s = *shared_;
    if (inside_pool == &s) throw InvalidArgument("ThreadPool: a task calls for_each of its own pool");
    if (s.workers.empty() || count == 1) {
        for (std::int64_t i = 0; i < count; ++i) task(i);
        return;
    }
    {
        const std::lock_guard lock(s.mutex);
        s.task = &task;
        s.count = count;
        s.next.store(0);
        s.error = nullptr;
        s.error_index = std::numeric_limits<std::int64_t>::max();
        s.busy = static_cast<int>(s.workers.size());
        ++s.generation;
    }
    s.wake.notify_all();
    s.run_tasks();
    std::unique_lock lock(s.mutex);
    s.done.wait(lock, [&] { return s.busy == 0; });
    if (s.error) std::rethrow_exception(s.error);
}

void parallel_for(ThreadPool& pool, std::int64_t n, std::int64_t grain,
                  const std::function<void(std::int64_t, std::int64_t)>& body) {
    if (grain <= 0) throw InvalidArgument("parallel_for: grain must be positive");
    pool.for_each(ceil_div(n, grain), [&](std::int64_t i) { body(i * grain, std::min(n, (i + 1) * grain)); });
}

}  // namespace assay
