#include "container/printable.h"

#include <gtest/gtest.h>

namespace assay {
namespace {

TEST(Printable, KeepsTextAndEscapesControlCharacters) {
    EXPECT_EQ(printable("model.layers.0 \xc3\xa9"), "model.layers.0 \xc3\xa9");
    EXPECT_EQ(printable(std::string_view("a\0b\x1b[2J\n\x7f", 9)), "a\\x00b\\x1b[2J\\x0a\\x7f");
}

TEST(Printable, EscapesWhatIsNotUtf8) {
    EXPECT_EQ(printable("a\xff\xc3z"), "a\\xff\\xc3z");
    EXPECT_EQ(printable("\xe0\x9f\x80"), "\\xe0\\x9f\\x80");           // longer than need be
    EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // a surrogate
    EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
    EXPECT_EQ(printable("\xe2\x82"), "\\xe2\\x82");                    // cut short
    EXPECT_EQ(printable("\xe2\x82\xac \xf0\x9f\x99\x82"), "\xe2\x82\xac \xf0\x9f\x99\x82");
}

TEST(Printable, CutsLongTextBetweenCharacters) {
    EXPECT_EQ(printable(std::string(200, 'x')), std::string(200, 'x'));
    EXPECT_EQ(printable(std::string(1000, 'x')), std::string(200, 'x') + "...");
    EXPECT_EQ(printable(std::string(199, 'x') + "\xc3\xa9"), std::string(199, 'x') + "...");
}

}  // namespace
}  // namespace assay
