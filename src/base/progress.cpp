#include "base/progress.h"

namespace assay {
namespace {

class Silent final : public Progress {
  public:
    void begin(std::string_view, std::uint64_t) override {}
    void advance(std::uint64_t) override {}
    void end() override {}
    void note(std::string_view) override {}
};

}  // namespace

Progress& silent_progress() {
    static Silent silent;  // stateless, so sharing it shares nothing
    return silent;
}

}  // namespace assay
