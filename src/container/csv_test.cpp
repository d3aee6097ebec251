#include "container/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "base/error.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Row {
    std::vector<std::string> fields;
    std::size_t line;

    bool operator==(const Row&) const = default;
};

std::vector<Row> rows(std::string_view text, std::size_t fields) {
    std::vector<Row> all;
    for_each_csv_row(text, fields, "t.csv", [&](const CsvRow& row) {
        all.push_back({{row.fields.begin(), row.fields.end()}, row.line});
    });
    return all;
}

std::string refusal(std::string_view text, std::size_t fields) {
    try {
        rows(text, fields);
    } catch (const FormatError& error) {
        return error.what();
    }
    return "accepted";
}

TEST(Csv, SplitsRowsAtEitherLineEndAndFieldsAtCommas) {
    EXPECT_THAT(rows("a,b\r\n,c d\n", 2), ElementsAre(Row{{"a", "b"}, 1}, Row{{"", "c d"}, 2}));
    EXPECT_THAT(rows("a,b", 2), ElementsAre(Row{{"a", "b"}, 1}));
}

TEST(Csv, QuotedFieldsHoldCommasLineEndsAndQuotes) {
    EXPECT_THAT(rows("\"a,\n\"\"b\"\"\",c\n\"\",d", 2),
                ElementsAre(Row{{"a,\n\"b\"", "c"}, 1}, Row{{"", "d"}, 3}));
}

TEST(Csv, AQuoteInsideAPlainFieldIsText) {
    EXPECT_THAT(rows("5\" wide,a \"b\"", 2), ElementsAre(Row{{"5\" wide", "a \"b\""}, 1}));
}

TEST(Csv, EmptyLinesAreNoRows) {
    EXPECT_THAT(rows("\n\r\na,b\n\n\n", 2), ElementsAre(Row{{"a", "b"}, 3}));
    EXPECT_THAT(rows("", 2), ElementsAre());
}

TEST(Csv, RejectsAnotherNumberOfFieldsNamingTheLine) {
    EXPECT_THAT(refusal("a,b\nc\n", 2),
                ::testing::AllOf(HasSubstr("t.csv: line 2"), HasSubstr("1 fields, expected 2")));
    EXPECT_THAT(refusal("a,b,c\n", 2), HasSubstr("line 1: more than 2 fields"));
}

TEST(Csv, RejectsAQuoteThatIsNeverClosed) {
    EXPECT_THAT(refusal("a,b\n\"c,d\n", 2), HasSubstr("line 2: a quote is opened and never closed"));
}

TEST(Csv, RejectsTextAfterAClosingQuote) {
    EXPECT_THAT(refusal("\"a\"b,c\n", 2), HasSubstr("line 1: text after a closing quote"));
}

}  // namespace
}  // namespace assay
