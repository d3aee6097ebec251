// How much memory this process holds, and how much the machine has left.
#pragma once

#include <cstdint>

namespace assay {

// Bytes resident now, the most there ever were, and what the machine can still give (free and reclaimable
// cache). 0 where the system does not tell. Source: /proc/self/status, /proc/meminfo.
std::int64_t resident_bytes();
std::int64_t peak_resident_bytes();
std::int64_t available_bytes();

// Lets the most there ever were begin anew with what is resident now. Source: proc(5), /proc/pid/clear_refs.
void reset_peak_resident();

// Makes large blocks go back to the system when they are freed, and gives back what lies free now: without it
// malloc keeps up to 64 MiB per thread. Once, before long work.
void return_freed_memory();

}  // namespace assay
