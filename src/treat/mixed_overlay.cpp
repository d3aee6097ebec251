#include "treat/mixed_overlay.h"

#include "treat/treatment_overlay.h"

namespace assay {

void MixedOverlay::apply(const LinearItem& item, MatrixView<float> w) const {
    ThreadPool own_thread(1);  // passes load several linears at once, each on its own thread
    apply_treatment(treatments_.find(item.name)->second, item, w, own_thread);
}

}  // namespace assay
