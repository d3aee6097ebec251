#include "treat/treatment_overlay.h"

#include "base/error.h"
#include "quantize/rtn.h"

namespace assay {

void apply_treatment(const Treatment& treatment, const LinearItem& item, MatrixView<float> w,
                     ThreadPool& pool) {
    if (treatment.method != "rtn") throw InvalidArgument("method " + treatment.method + " cannot be applied");
    try {
        rtn(w, treatment.format, w, pool);
    } catch (const NumericError& e) {
        throw NumericError(item.name + ": " + e.what());
    }
}

void TreatmentOverlay::apply(const LinearItem& item, MatrixView<float> w) const {
    ThreadPool own_thread(1);  // passes load several linears at once, each on its own thread
    apply_treatment(treatment_, item, w, own_thread);
}

bool TreatmentOverlay::row_wise() const {
    return treatment_.method == "rtn" && rows_are_independent(treatment_.format);
}

}  // namespace assay
