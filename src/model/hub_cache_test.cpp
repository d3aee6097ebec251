// Model names found in a made-up Hugging Face cache.
#include "model/hub_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>

#include "base/error.h"
#include "container/temporary_folder.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

TEST(HubName, HasTwoPartsAndARevision) {
    const auto name = parse_hub_name("Qwen/Qwen3-0.6B");
    ASSERT_TRUE(name);
    EXPECT_EQ(name->repository, "Qwen/Qwen3-0.6B");
    EXPECT_EQ(name->revision, "main");
    EXPECT_EQ(name->download_command(), "hf download Qwen/Qwen3-0.6B");
    const auto tagged = parse_hub_name("a_b/c.d@refs/pr/1");
    ASSERT_TRUE(tagged);
    EXPECT_EQ(tagged->repository, "a_b/c.d");
    EXPECT_EQ(tagged->revision, "refs/pr/1");
    EXPECT_EQ(tagged->download_command(), "hf download a_b/c.d --revision refs/pr/1");
}

TEST(HubName, IsNotAPath) {
    for (const char* text : {"",           "model",  "a/",     "/a",       "a/b/c", "./a",  "../a",
                             "a/..",       "~/a",    "a b/c",  "a/b.gguf", "a/-b",  "a/b@", "a/b@../c",
                             "a/b@c/../d", "a/b@c/", "a/b@/c", "a/b@c@d",  "a/b;c", "a\n/b"})
        EXPECT_FALSE(parse_hub_name(text)) << text;
}

// The variables that say where the cache is, as they were, after each test.
class HubCacheFolder : public testing::Test {
  protected:
    HubCacheFolder() {
        for (const char* name : {"HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HOME"}) {
            const char* value = std::getenv(name);
            if (value != nullptr) before_[name] = value;
            ::unsetenv(name);
        }
        ::setenv("HOME", "/home/user", 1);
    }
    ~HubCacheFolder() override {
        for (const char* name : {"HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HOME"}) ::unsetenv(name);
        for (const auto& [name, value] : before_) ::setenv(name.c_str(), value.c_str(), 1);
    }

  private:
    std::map<std::string, std::string> before_;
};

TEST_F(HubCacheFolder, IsWhereTheFirstVariableSays) {
    EXPECT_EQ(hub_cache_folder(), "/home/user/.cache/huggingface/hub");
    ::setenv("XDG_CACHE_HOME", "/xdg", 1);
    EXPECT_EQ(hub_cache_folder(), "/xdg/huggingface/hub");
    ::setenv("HF_HOME", "/hf", 1);
    EXPECT_EQ(hub_cache_folder(), "/hf/hub");
    ::setenv("HF_HUB_CACHE", "/cache", 1);
    EXPECT_EQ(hub_cache_folder(), "/cache");
    ::setenv("HF_HUB_CACHE", "", 1);
    EXPECT_EQ(hub_cache_folder(), "/hf/hub");
}

// A cache with the model org/name: snapshot c0ffee of main, whose files are links to blobs.
class HubCacheTest : public TemporaryFolder {
  protected:
    HubCacheTest() : model_(folder_ / "models--org--name"), snapshot_(model_ / "snapshots" / "c0ffee") {
        std::filesystem::create_directories(snapshot_);
        write(model_ / "refs" / "main", "c0ffee\n");
    }

    static void write(const std::filesystem::path& path, const std::string& text) {
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path) << text;
    }
    void add(const std::string& name, const std::string& text = "") const {
        write(model_ / "blobs" / name, text);
        std::filesystem::create_symlink("../../blobs/" + name, snapshot_ / name);
    }
    std::filesystem::path find(const std::string& name = "org/name") const {
        return find_hub_snapshot(*parse_hub_name(name), folder_);
    }
    std::string error(const std::string& name = "org/name") const {
        try {
            return "no error, but " + find(name).string();
        } catch (const FormatError& e) {
            return e.what();
        }
    }

    std::filesystem::path model_, snapshot_;
};

TEST_F(HubCacheTest, FindsASnapshotByBranchAndByCommitThroughLinks) {
    add("config.json");
    add("model.safetensors");
    EXPECT_EQ(find(), snapshot_);
    EXPECT_EQ(find("org/name@c0ffee"), snapshot_);
    write(model_ / "refs" / "refs" / "pr" / "1", "c0ffee");
    EXPECT_EQ(find("org/name@refs/pr/1"), snapshot_);
}

TEST_F(HubCacheTest, FindsAShardedModel) {
    add("config.json");
    add("model.safetensors.index.json", R"({"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}})");
    add("1.safetensors");
    EXPECT_THAT(error(), HasSubstr("2.safetensors is not there"));
    EXPECT_THAT(error(), HasSubstr("hf download org/name"));
    add("2.safetensors");
    EXPECT_EQ(find(), snapshot_);
}

TEST_F(HubCacheTest, ShowsTheCommandForAModelOrRevisionThatIsNotThere) {
    EXPECT_THAT(error("org/other"), HasSubstr("no such file or folder"));
    EXPECT_THAT(error("org/other"), HasSubstr("hf download org/other"));
    EXPECT_THAT(error("org/name@v2"), HasSubstr("hf download org/name --revision v2"));
}

TEST_F(HubCacheTest, ShowsTheCommandForAnIncompleteSnapshot) {
    EXPECT_THAT(error(), HasSubstr("config.json is not there"));
    add("config.json");
    EXPECT_THAT(error(), HasSubstr("model.safetensors is not there"));
    std::filesystem::create_symlink("../../blobs/gone", snapshot_ / "model.safetensors");
    EXPECT_THAT(error(), HasSubstr("hf download org/name"));
}

TEST_F(HubCacheTest, RefusesAReferenceThatLeadsElsewhere) {
    write(model_ / "refs" / "main", "../../..");
    EXPECT_THAT(error(), HasSubstr("expected the name of a commit"));
}

TEST_F(HubCacheTest, RefusesABrokenIndex) {
    add("config.json");
    add("model.safetensors.index.json", "{}");
    EXPECT_THAT(error(), HasSubstr("weight_map"));
}

}  // namespace
}  // namespace assay
