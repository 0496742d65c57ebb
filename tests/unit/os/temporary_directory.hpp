// SPDX-License-Identifier: MIT
#pragma once

// A directory of a test's own, which goes with all that is in it.

#include <stdlib.h>

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

namespace umcg::testing {

class temporary_directory {
 public:
  temporary_directory() : path_(::testing::TempDir() + "umcg-test-XXXXXX") {
    EXPECT_NE(::mkdtemp(path_.data()), nullptr);
  }
  ~temporary_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace umcg::testing
