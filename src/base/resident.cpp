#include "base/resident.h"

#include <malloc.h>

#include <fstream>
#include <string>

namespace assay {
namespace {

// "VmRSS:  1234 kB" -> bytes.
std::int64_t read_kilobytes(const char* file, const std::string& key) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        if (line.rfind(key + ":", 0) == 0) return std::stoll(line.substr(key.size() + 1)) * 1024;
    }
    return 0;
}

}  // namespace

std::int64_t resident_bytes() {
    return read_kilobytes("/proc/self/status", "VmRSS");
}

std::int64_t peak_resident_bytes() {
    return read_kilobytes("/proc/self/status", "VmHWM");
}

std::int64_t available_bytes() {
    return read_kilobytes("/proc/meminfo", "MemAvailable");
}

void reset_peak_resident() {
    std::ofstream("/proc/self/clear_refs") << "5";
}

void return_freed_memory() {
    ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
    ::mallopt(M_TRIM_THRESHOLD, 16 << 20);
    ::malloc_trim(0);
}

}  // namespace assay
