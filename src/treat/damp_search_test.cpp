// The searched damping against a plain search over whole Hessians of both halves.
#include "treat/damp_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "measure/runs.h"
#include "model/test_models.h"
#include "model/tiny_models.h"
#include "treat/calibrated_method.h"
#include "treat/encoded_weights.h"

namespace assay {
namespace {

class DampSearchTest : public ::testing::TestWithParam<const char*> {
  protected:
    // tr(E H Eᵀ), in double, entry by entry.
    static double plain_error(MatrixView<const float> w, MatrixView<const float> q,
                              const compute::SymmetricMatrix& h) {
        double sum = 0;
        for (std::int64_t r = 0; r < w.rows(); ++r) {
            for (std::int64_t i = 0; i < w.cols(); ++i) {
                for (std::int64_t j = 0; j < w.cols(); ++j) {
                    const double a = static_cast<double>(w(r, i)) - static_cast<double>(q(r, i)),
                                 b = static_cast<double>(w(r, j)) - static_cast<double>(q(r, j));
                    sum += a * b * (i >= j ? h(i, j) : h(j, i));
                }
            }
        }
        return sum;
    }

    std::vector<EvaluationWindow> half(std::size_t first) const {
        std::vector<EvaluationWindow> some;
        for (std::size_t w = first; w < windows_.size(); w += 2) some.push_back(windows_[w]);
        return some;
    }

    Model model_ = tiny_model(GetParam());
    std::vector<EvaluationWindow> windows_ =
        with_context(random_windows({60, 80, 70, 64, 50}, model_.config().vocabulary), 0);
    std::vector<std::size_t> items_ = block_items(model_);
    TestEngine engine_;
};

INSTANTIATE_TEST_SUITE_P(Tiny, DampSearchTest, ::testing::Values("llama-tied", "gemma2"),
                         [](const auto& info) {
                             std::string name = info.param;
                             std::erase(name, '-');
                             return name;
                         });

TEST_P(DampSearchTest, TakesTheDampingThatErrsLeastOnTheOtherHalf) {
    const Treatment searched = parse_treatment("int3-g16:gptq(act-order,search-damp)");
    const std::vector<Treatment> treatments{searched};
    const auto overlays = calibrate(model_, engine_, windows_, items_, treatments);
    const auto learned = measure_hessians(model_, engine_, half(0), items_),
               held_out = measure_hessians(model_, engine_, half(1), items_);
    std::map<double, int> chosen;
    for (std::size_t i = 0; i < learned.size(); ++i) {
        double best = 0, least = std::numeric_limits<double>::infinity(), second = least;
        for (const double damp : kSearchedDamps) {
            const InputFactor factor =
                factor_input(learned[i].sums, {.by_energy = true, .damp = damp}, engine_.pool);
            double error = 0;
            for (std::size_t item : learned[i].input.items) {
                const Matrix<float> w = read_weight(model_.weights(), model_.items()[item].name);
                const GptqResult result = gptq(w.view(), std::get<IntFormat>(searched.format), factor,
                                               {.static_groups = true}, engine_.pool);
                Matrix<float> q(w.rows(), w.cols());
                decode(result.weight, q.view(), engine_.pool);
                error += plain_error(w.view(), q.view(), held_out[i].sums);
            }
            second = std::min(second, std::max(error, least));
            if (error < least) best = damp, least = error;
        }
        if (second < 1.001 * least) continue;  // decided by the held-out factor's own damping
        for (std::size_t item : learned[i].input.items) {
            const auto reports = overlays[0].reports();
            const auto report = std::find_if(reports.begin(), reports.end(), [&](const auto& r) {
                return r.name == model_.items()[item].name;
            });
            EXPECT_EQ(report->damping, best) << report->name;
        }
        ++chosen[best];
    }
    EXPECT_TRUE(chosen.size() > 1 || chosen.begin()->first != 0.01);  // not the usual one everywhere
}

TEST_P(DampSearchTest, TheResultIsThatOfTheChosenDamping) {
    const std::vector<Treatment> treatments{parse_treatment("int4-g16:gptq(awq,clip,search-damp)")};
    const auto searched = calibrate(model_, engine_, windows_, items_, treatments);
    for (const double damp : kSearchedDamps) {
        Treatment fixed = parse_treatment("int4-g16:gptq(awq,clip)");
        fixed.options["damp"] = damp;
        // Scales are searched with the usual damping: where they agree all does.
        const auto plain = calibrate(model_, engine_, windows_, items_, std::vector<Treatment>{fixed});
        const auto reports = searched[0].reports(), others = plain[0].reports();
        for (std::size_t i = 0; i < reports.size(); ++i) {
            if (reports[i].damping != damp || reports[i].alpha != others[i].alpha) continue;
            const LinearItem& item = model_.items()[items_[0]];
            Matrix<float> a(item.out, item.in), b = a;
            if (reports[i].name != item.name) continue;
            searched[0].apply(item, a.view());
            plain[0].apply(item, b.view());
            EXPECT_TRUE(std::equal(a.values().begin(), a.values().end(), b.values().begin()));
        }
    }
}

TEST_P(DampSearchTest, OneWindowHasNoHalvesAndTakesTheUsualDamping) {
    const auto one = std::span(windows_).first(1);
    const auto overlays = calibrate(model_, engine_, one, items_,
                                    std::vector<Treatment>{parse_treatment("int4-g16:gptq(search-damp)")});
    for (const CalibratedLinear& report : overlays[0].reports()) {
        if (report.damping_raised > 0) continue;
        EXPECT_EQ(report.damping, 0.01) << report.name;
    }
}

TEST(DampSearch, NeedsHalves) {
    const Model model = tiny_model("llama-tied");
    TestEngine engine;
    const auto windows = with_context(random_windows({40, 40}, model.config().vocabulary), 0);
    const auto hessians = measure_hessians(model, engine, windows, block_items(model));
    EXPECT_THROW(
        search_damping(model, engine, parse_treatment("int4-g16:gptq(search-damp)"), hessians[0], {}),
        InvalidArgument);
}

}  // namespace
}  // namespace assay
