#include "container/printable.h"

#include <gtest/gtest.h>

namespace assay {
namespace {

TEST(Printable, KeepsTextAndEscapesControlCharacters) {
    EXPECT_EQ(printable("model.layers.0 \xc3\xa9"), "model.layers.0 \xc3\xa9");
    EXPECT_EQ(printable(std::string_view("a\0b\x1b[2J\n\x7f", 9)), "a\\x00b\\x1b[2J\\x0a\\x7f");
}

TEST(Printable, CutsLongText) {
    EXPECT_EQ(printable(std::string(1000, 'x')), std::string(200, 'x') + "...");
}

}  // namespace
}  // namespace assay
