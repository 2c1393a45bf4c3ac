// --annotate and files that appear under its names while it runs: neither is replaced, and nothing of ours is left.
#include "apps/sniffer/annotated_recording.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace prose::apps {
namespace {
namespace fs = std::filesystem;

std::string content_of(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}
std::string already_there(const fs::path& path) {
  return path.string() + ": exists; accepted: a name that is not in use";
}

class annotated_files : public ::testing::Test {
protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "prose-annotated-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name;
    std::ofstream(dir_ / "x.sigmf-meta")
        << R"({"global": {"core:datatype": "ci16_le", "core:version": "1.0.0", "core:sample_rate": 7680000},
               "captures": [{"core:sample_start": 0}], "annotations": []})";
    std::ofstream(dir_ / "x.sigmf-data") << "01234567";
  }
  void TearDown() override { fs::remove_all(dir_); }
  /// What finish() says of a file that came after open(). Empty: it did not fail.
  std::string error_after(const std::string& came) {
    const auto source = phy::sigmf_reader::open((dir_ / "x").string(), {.keep_text = true});
    if (!source) return "the source: " + source.error().message;
    const auto recording = annotated_recording::open((dir_ / "y").string(), **source, {});
    if (!recording) return "open: " + recording.error().message;
    if (!came.empty()) std::ofstream(dir_ / came) << "theirs";
    const auto ok = (*recording)->finish();
    return ok ? "" : ok.error().message;
  }
  std::ptrdiff_t n_files() const { return std::distance(fs::directory_iterator(dir_), fs::directory_iterator()); }

  fs::path dir_;
};

TEST_F(annotated_files, both_appear) {
  EXPECT_EQ(error_after(""), "");
  EXPECT_EQ(content_of(dir_ / "y.sigmf-data"), "01234567");
  EXPECT_EQ(n_files(), 4);
}

TEST_F(annotated_files, what_came_meanwhile_is_not_replaced) {
  for (const std::string came : {"y.sigmf-meta", "y.sigmf-data"}) {
    EXPECT_EQ(error_after(came), "--annotate " + already_there(dir_ / came));
    EXPECT_EQ(content_of(dir_ / came), "theirs");
    EXPECT_TRUE(fs::remove(dir_ / came));
    EXPECT_EQ(n_files(), 2) << came;
  }
}

/// As the copy of samples that cannot be linked is written.
TEST_F(annotated_files, a_new_whole_file_replaces_nothing) {
  {
    auto file = whole_file::create((dir_ / "z").string(), 0666);
    ASSERT_TRUE(file);
    std::ofstream(dir_ / "z") << "theirs";
    const auto ok = file->commit();
    ASSERT_FALSE(ok);
    EXPECT_EQ(ok.error().message, already_there(dir_ / "z"));
  }
  EXPECT_EQ(content_of(dir_ / "z"), "theirs");
  EXPECT_EQ(n_files(), 3);
  EXPECT_FALSE(whole_file::create((dir_ / "z").string(), 0666));
}

}  // namespace
}  // namespace prose::apps
