// SPDX-License-Identifier: MIT

// The readers of ELF and DWARF: this program's own lines, and files that are broken anywhere.
#include "diagnosis/line_table.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "diagnosis/demangler.hpp"
#include "diagnosis/object_file.hpp"
#include "diagnosis/symbols.hpp"
#include "sanitizer.hpp"

namespace umcg::diagnosis {
namespace {

[[gnu::noinline]] std::uintptr_t here() {
  return reinterpret_cast<std::uintptr_t>(__builtin_return_address(0)) - 1;
}

[[gnu::noinline]] int of_this_function(std::uintptr_t& address) {
  address = here();
  return __LINE__ - 1;
}

TEST(line_table, FindsTheLineOfACall) {
  location wanted;
  const auto line = static_cast<unsigned>(of_this_function(wanted.address));
  start_demangler();
  symbols names;
  names.resolve({&wanted, 1});
  EXPECT_EQ(wanted.line, line);
  EXPECT_TRUE(wanted.file.ends_with("line_table_test.cpp")) << wanted.file;
  EXPECT_NE(wanted.function.find("of_this_function"), std::string_view::npos);
  EXPECT_NE(wanted.readable.find("of_this_function(unsigned long&)"), std::string_view::npos)
      << wanted.readable;
}

TEST(line_table, KnowsNothingOfAnAddressWithoutCode) {
  const int datum = 0;
  location wanted;
  wanted.address = reinterpret_cast<std::uintptr_t>(&datum);
  symbols names;
  names.resolve({&wanted, 1});
  EXPECT_TRUE(wanted.object.empty());
  EXPECT_EQ(wanted.line, 0U);
}

// The readers get every prefix of a section that ends at a page that must not be touched.
class guarded_copy {
 public:
  explicit guarded_copy(bytes of) : size_((of.size() + page - 1) / page * page) {
    memory_ = static_cast<std::byte*>(
        ::mmap(nullptr, size_ + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    EXPECT_EQ(::mprotect(memory_ + size_, page, PROT_NONE), 0);
    begin_ = memory_ + size_ - of.size();
    std::ranges::copy(of, begin_);
  }
  ~guarded_copy() { ::munmap(memory_, size_ + page); }
  guarded_copy(const guarded_copy&) = delete;
  guarded_copy& operator=(const guarded_copy&) = delete;

  bytes last(std::size_t count) const { return {memory_ + size_ - count, count}; }
  std::byte* begin() const { return begin_; }

 private:
  static constexpr std::size_t page = 4096;
  std::size_t size_;
  std::byte* memory_;
  std::byte* begin_;
};

// A program in the form of DWARF 4: one folder, one file, three rows.
std::vector<std::byte> small_unit() {
  const std::vector<unsigned char> program = {0, 9, 2, 0, 0x10, 0,
                                              0, 0, 0, 0, 0,  // set the address 0x1000
                                              3, 9,           // line 10
                                              1,              // a row
                                              2, 4,           // 4 bytes on
                                              3, 1, 1,        // line 11, a row
                                              2, 4,           //
                                              0, 1, 1};       // the end
  const std::vector<unsigned char> header = {1,   1,   1,   0xfb, 14, 13, 0, 1, 1,
                                             1,   1,   0,   0,    0,  1,  0, 0, 1,  // opcodes
                                             'd', 'i', 'r', 0,    0,                // folders
                                             'f', '.', 'c', 0,    1,  0,  0, 0};    // files
  std::vector<unsigned char> unit = {0, 0, 0, 0, 4, 0, static_cast<unsigned char>(header.size()),
                                     0, 0, 0};
  unit.insert(unit.end(), header.begin(), header.end());
  unit.insert(unit.end(), program.begin(), program.end());
  unit[0] = static_cast<unsigned char>(unit.size() - 4);
  std::vector<std::byte> result(unit.size());
  std::ranges::transform(unit, result.begin(), [](unsigned char c) { return std::byte{c}; });
  return result;
}

location at(std::uint64_t address) {
  location one;
  one.in_file = address;
  return one;
}

TEST(line_table, ReadsDwarf4) {
  const auto unit = small_unit();
  std::array wanted{at(0xfff), at(0x1000), at(0x1003), at(0x1004), at(0x1008)};
  find_lines({unit, {}, {}}, wanted);
  EXPECT_EQ(wanted[0].line, 0U);
  EXPECT_EQ(wanted[1].line, 10U);
  EXPECT_EQ(wanted[2].line, 10U);
  EXPECT_EQ(wanted[3].line, 11U);
  EXPECT_EQ(wanted[4].line, 0U);
  EXPECT_EQ(wanted[1].folder, "dir");
  EXPECT_EQ(wanted[1].file, "f.c");
}

TEST(line_table, ReadsNothingBehindTheEndOfASection) {
  const auto unit = small_unit();
  for (std::size_t size = 0; size <= unit.size(); ++size) {
    const guarded_copy copy(bytes(unit).first(size));
    std::array wanted{at(0x1000), at(0x1004)};
    find_lines({copy.last(size), {}, {}}, wanted);
    EXPECT_TRUE(size >= unit.size() / 2 || wanted[0].line == 0);
  }
}

std::vector<std::byte> own_program() {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  const std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::byte> result(text.size());
  std::ranges::transform(text, result.begin(), [](char c) { return static_cast<std::byte>(c); });
  return result;
}

void read_all_of(const char* path) {
  const object_file file(path);
  std::array wanted{at(0x1000), at(0x20000), at(0x40000)};
  for (location& each : wanted) each.in_file = file.address_of(each.in_file);
  std::ranges::sort(wanted, {}, &location::in_file);
  file.find_functions(wanted);
  find_lines(
      {file.section(".debug_line"), file.section(".debug_line_str"), file.section(".debug_str")},
      wanted);
}

TEST(line_table, SurvivesBrokenFiles) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::minstd_rand random(seed);
  const auto whole = own_program();
  constexpr int rounds = umcg::testing::instrumented ? 5 : 40;
  std::string path = "/tmp/umcg-broken-XXXXXX";
  const base::unique_fd fd(::mkstemp(path.data()));
  for (int round = 0; round < rounds; ++round) {
    auto broken = whole;
    // Headers and tables lie at both ends.
    for (int i = 0; i < 200; ++i) {
      const std::size_t near = random() % 4096;
      const std::size_t where = i % 2 == 0 ? near % broken.size() : random() % broken.size();
      broken[where] = static_cast<std::byte>(random());
    }
    if (round % 4 == 0) broken.resize(random() % broken.size());
    broken[4] = std::byte{2};
    ASSERT_EQ(::pwrite(fd.get(), broken.data(), broken.size(), 0),
              static_cast<ssize_t>(broken.size()));
    ASSERT_EQ(::ftruncate(fd.get(), static_cast<off_t>(broken.size())), 0);
    read_all_of(path.c_str());
  }
  ::unlink(path.c_str());
}

TEST(line_table, HasNothingOfWhatIsNoFile) {
  for (const char* path : {"/nowhere", "/proc/self/maps", "/tmp", "/etc/passwd"}) {
    EXPECT_TRUE(object_file(path).section(".text").empty()) << path;
  }
}

}  // namespace
}  // namespace umcg::diagnosis
