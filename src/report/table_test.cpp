// Tests of terminal tables.
#include "report/table.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace assay {
namespace {

TEST(Table, AlignsColumnsUnderTheirHeaders) {
    Table table({{"name", Table::Align::kLeft}, {"KL"}});
    table.add_row({"q_proj", "0.5"});
    table.add_row({"o", "12.25"});
    EXPECT_EQ(table.text(),
              "name       KL\n"
              "─────────────\n"
              "q_proj    0.5\n"
              "o       12.25\n");
}

TEST(Table, WidthsCountCharactersNotBytes) {
    Table table({{"ΔPPL", Table::Align::kLeft}, {"x"}});
    table.add_row({"日本", "1"});
    table.add_row({"e\xcc\x81t", "2"});  // e and a combining accent
    EXPECT_EQ(table.text(),
              "ΔPPL  x\n"
              "───────\n"
              "日本  1\n"
              "e\xcc\x81t    2\n");
}

TEST(Table, LinesHaveNoTrailingBlanks) {
    Table table({{"a"}, {"note", Table::Align::kLeft}});
    table.add_row({"1", ""});
    EXPECT_EQ(table.text(), "a  note\n───────\n1\n");
}

TEST(Table, CellsCannotCarryControlCharacters) {
    Table table({{"name", Table::Align::kLeft}});
    table.add_row({"\x1b[31mred"});
    EXPECT_EQ(table.text().find('\x1b'), std::string::npos);
}

TEST(Table, RejectsARowOfAnotherLength) {
    Table table({{"a"}, {"b"}});
    EXPECT_THROW(table.add_row({"1"}), InvalidArgument);
}

}  // namespace
}  // namespace assay
