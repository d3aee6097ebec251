// How fast the statistics and sweeps of a model's weights are, beside the machine's read bandwidth and its
// rate of vector operations, a second of processor time, measured in the same run. Prints one JSON document;
// docs/performance.md tells what the bounds count.
//
// usage: weight_scan MODEL [--threads N] [--repeats N] [--treatment T] [--part "statistics and groups"]
#include <immintrin.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/resident.h"
#include "compute/cpu/cpu_backend.h"
#include "compute/cpu/cpu_features.h"
#include "container/json.h"
#include "fma_peak.h"
#include "model/model_files.h"
#include "quantize/group_sweep.h"
#include "timing.h"
#include "treat/weight_errors.h"

namespace assay::bench {
namespace {

struct Arguments {
    std::string model, treatment = "int4-g128", part;  // all parts, unless one is named
    int threads = 2, repeats = 5;
};

Arguments parse(int argc, char** argv) {
    Arguments a;
    a.model = argc > 1 ? argv[1] : "";
    for (int i = 2; i + 1 < argc; i += 2) {
        const std::string name = argv[i], value = argv[i + 1];
        if (name == "--threads")
            a.threads = std::stoi(value);
        else if (name == "--repeats")
            a.repeats = std::stoi(value);
        else if (name == "--treatment")
            a.treatment = value;
        else if (name == "--part")
            a.part = value;
        else
            throw InvalidArgument("unknown option " + name);
    }
    return a;
}

// Bytes that a thread reads from memory a second of its processor time, while the others read, too.
double read_bandwidth(ThreadPool& pool) {
    constexpr std::int64_t kFloats = std::int64_t{1} << 28, kPart = std::int64_t{1} << 22;
    static std::vector<float> buffer(kFloats, 1.0f);
    std::vector<double> sums(kFloats / kPart);
    const Seconds seconds = seconds_of([&] {
        pool.for_each(kFloats / kPart, [&](std::int64_t part) {
            const float* p = buffer.data() + part * kPart;
            __m256 acc[8] = {};
            for (std::int64_t i = 0; i < kPart; i += 64) {
                for (int k = 0; k < 8; ++k) acc[k] = _mm256_add_ps(acc[k], _mm256_loadu_ps(p + i + 8 * k));
            }
            for (int k = 1; k < 8; ++k) acc[0] = _mm256_add_ps(acc[0], acc[k]);
            sums[static_cast<std::size_t>(part)] = static_cast<double>(_mm256_cvtss_f32(acc[0]));
        });
    });
    return static_cast<double>(kFloats) * sizeof(float) / seconds.processor;
}

// Vector operations that the formulas need at least for 16 weights in f32, apart from loads and from reading
// the file. Multiplications, fused ones too, are counted by themselves as well: some processors have units of
// their own for them. Divisions take the time that is measured beside the program.
struct Operations {
    double all = 0;         // but divisions
    double multiplied = 0;  // of these
    double divisions = 0;

    constexpr Operations operator+(const Operations& o) const {
        return {all + o.all, multiplied + o.multiplied, divisions + o.divisions};
    }
    constexpr Operations operator*(double times) const {
        return {all * times, multiplied * times, divisions * times};
    }
};

// Widen (each conversion a shuffle, too), - shift, squares, two sums, two fused sums.
constexpr Operations kMoments{.all = 4 + 2 + 2 + 4 + 4, .multiplied = 2 + 4};
constexpr Operations kRange{.all = 2};  // of groups: everything else that needs a range takes it from these
constexpr Operations kRounding{.all = 4,
                               .multiplied = 3};  // fused product and shift, unshift, w - value, fused square
constexpr Operations kTreated = kRounding + Operations{.all = 3};  // |E|, its sum and max
constexpr Operations kOutliers{.all = 4};                          // two comparisons, min, max
// range, scale, reciprocal, zero point, codes of both ends, clamp: of a group
constexpr Operations kGrid{.all = 30, .multiplied = 3, .divisions = 3};

Operations statistics() {
    return kMoments + kRange + kTreated + kOutliers + kGrid * (1.0 / 128);
}

Operations sweep() {
    double grids = 0;  // a weight
    for (std::int64_t group : kSweepGroups) grids += group == 0 ? 0 : 1 / static_cast<double>(group);
    const double kinds = 2 * static_cast<double>(kSweepBits.size());
    return (kRounding * static_cast<double>(kSweepGroups.size()) + kGrid * grids) * kinds;
}

// Of the clip sweep of a format with groups of 128: two searches, each weight in a lane for each ratio, with
// a clamp; the grids of the ratios; twelve settings of clip, comparison, clamp and rounding.
Operations clips() {
    const Operations clamp{.all = 2};
    return (kRounding + clamp) * (2 * 16) + kGrid * (2 * 16.0 / 128) +
           (kRounding + clamp + clamp + Operations{.all = 1}) * 12;
}

struct Timing {
    std::vector<double> wall, processor, of_bandwidth, of_operations, of_multiplications;
};

int run(const Arguments& a) {
    ThreadPool pool(a.threads);
    const auto backend = compute::make_cpu_backend(pool);
    const CancelToken cancel;
    const Engine engine{*backend, pool, silent_progress(), cancel};
    const Model model = load_model(open_model_files(a.model));
    std::vector<std::size_t> items(model.items().size());
    double weights = 0, bytes = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
        items[i] = i;
        weights += static_cast<double>(model.items()[i].out * model.items()[i].in);
    }
    for (const StoredTensor& t : model.weights().tensors()) bytes += static_cast<double>(t.bytes);
    const Treatment treatment = parse_treatment(a.treatment);
    const std::vector<std::pair<const char*, WeightLook>> parts = {
        {"statistics", {}},
        {"statistics and groups", {.group_sweep = true}},
        {"statistics and clips", {.clip_sweep = true}},
        {"statistics, groups and clips", {.group_sweep = true, .clip_sweep = true}},
        {"all, with histograms", {.group_sweep = true, .clip_sweep = true, .histograms = true}}};
    Json out{{"model", a.model}, {"weights", weights}, {"bytes", bytes}, {"threads", a.threads}};
    for (const auto& [name, look] : parts) {
        if (!a.part.empty() && a.part != name) continue;
        Timing t;
        for (int r = 0; r <= a.repeats; ++r) {
            // The machine's speed drifts: measured on both sides of each run.
            const double bandwidth = read_bandwidth(pool), division = measure_division_cost();
            double rate = measure_fma_rate(pool) / 2;  // f32 lanes a second, one operation each
            const Seconds seconds =
                seconds_of([&] { measure_weight_errors(model, items, treatment, engine, look); });
            rate = (rate + measure_fma_rate(pool) / 2) / 2;
            if (r == 0) continue;  // the files come into the cache
            const Operations operations = statistics() + (look.group_sweep ? sweep() : Operations{}) +
                                          (look.clip_sweep ? clips() : Operations{});
            const double lanes = rate * seconds.processor / weights;  // that a weight had
            t.wall.push_back(seconds.wall);
            t.processor.push_back(seconds.processor);
            t.of_bandwidth.push_back(bytes / seconds.processor / bandwidth);
            t.of_operations.push_back((operations.all + division * operations.divisions) / lanes);
            t.of_multiplications.push_back(operations.multiplied / lanes);
            out["read_gb_per_second"] = bandwidth / 1e9;
            out["vector_lanes_per_second"] = rate;
            out["division_in_operations"] = division;
        }
        out[name] = {{"seconds", median(t.wall)},
                     {"processor_seconds", median(t.processor)},
                     {"ns_per_weight", 1e9 * median(t.processor) / weights},
                     {"share_of_read_bandwidth", median(t.of_bandwidth)},
                     {"share_of_vector_rate", median(t.of_operations)},
                     {"share_of_multiplications", median(t.of_multiplications)}};
    }
    out["peak_mib"] = static_cast<double>(peak_resident_bytes()) / (1 << 20);
    std::printf("%s\n", out.dump(1).c_str());
    return 0;
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
    return assay::bench::run(assay::bench::parse(argc, argv));
}
