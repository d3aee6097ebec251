#include "text/task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assay {
namespace {

using ::testing::ElementsAre;

Task task_with(const std::vector<int>& sizes) {
    Task task;
    for (std::size_t s = 0; s < sizes.size(); ++s) {
        task.subjects.push_back({.name = std::string(1, static_cast<char>('a' + s))});
        for (int q = 0; q < sizes[s]; ++q)
            task.questions.push_back({.id = task.subjects[s].name + std::to_string(q), .subject = s});
    }
    return task;
}

std::vector<std::string> kept(const std::vector<int>& sizes, std::int64_t most) {
    Task task = task_with(sizes);
    limit_questions(task, most);
    std::vector<std::string> ids;
    for (const TaskQuestion& question : task.questions) ids.push_back(question.id);
    return ids;
}

TEST(LimitQuestions, TakesTheFirstOfEachSubjectEvenly) {
    EXPECT_THAT(kept({3, 1, 4}, 5), ElementsAre("a0", "a1", "b0", "c0", "c1"));
    EXPECT_THAT(kept({1, 5}, 4), ElementsAre("a0", "b0", "b1", "b2"));
    EXPECT_THAT(kept({2, 2}, 1), ElementsAre("a0"));
}

TEST(LimitQuestions, LeavesAllWhereFewerAreThere) {
    EXPECT_THAT(kept({1, 2}, 0), ElementsAre("a0", "b0", "b1"));
    EXPECT_THAT(kept({1, 2}, 3), ElementsAre("a0", "b0", "b1"));
    EXPECT_THAT(kept({1, 2}, 9), ElementsAre("a0", "b0", "b1"));
}

TEST(Characters, AreCountedWithoutTheSpaceInFront) {
    EXPECT_EQ(characters({.continuation = " abc"}), 3);
    EXPECT_EQ(characters({.continuation = "abc d"}), 5);
    EXPECT_EQ(characters({.continuation = " é中😀"}), 3);
}

}  // namespace
}  // namespace assay
