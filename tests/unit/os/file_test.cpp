// SPDX-License-Identifier: MIT

// Files, names and whole files in one call, at every site.

#include "umcg/os/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <string>

#include <asio/read.hpp>
#include <asio/read_at.hpp>
#include <asio/write.hpp>
#include <asio/write_at.hpp>
#include <gtest/gtest.h>

#include "umcg/cancellation.hpp"
#include "umcg/deadline_scope.hpp"
#include "umcg/os/directory.hpp"
#include "unit/io/call_site.hpp"
#include "unit/os/temporary_directory.hpp"

namespace umcg::os {
namespace {

constexpr open_options for_writing{.read = false, .write = true, .create = true};
constexpr open_options for_both{.write = true, .create = true};

class files : public testing::site_test {
 protected:
  std::string contents(const std::string& name) const {
    std::ifstream from(place / name);
    return {std::istreambuf_iterator<char>(from), {}};
  }
  void put(const std::string& name, const std::string& text) const {
    std::ofstream(place / name) << text;
  }

  testing::temporary_directory place;
  std::error_code error = std::make_error_code(std::errc::io_error);
};

INSTANTIATE_TEST_SUITE_P(at, files, testing::all_sites(), testing::site_name);

TEST_P(files, are_written_and_read_by_the_algorithms_of_asio) {
  std::string sent(300'000, '-');
  for (std::size_t at = 0; at < sent.size(); ++at) sent[at] = static_cast<char>('a' + at % 23);
  site().run([&] {
    file both = file::open(place / "text", for_both);
    EXPECT_EQ(asio::write(both, asio::buffer(sent)), sent.size());
    both.seek(0);
    std::string received(sent.size() + 1, '-');
    EXPECT_EQ(asio::read(both, asio::buffer(received), error), sent.size());
    EXPECT_EQ(error, asio::error::eof);
    received.pop_back();
    EXPECT_TRUE(received == sent);
    EXPECT_EQ(both.read_some(asio::buffer(received), error), 0u);
    EXPECT_EQ(error, asio::error::eof);
  });
  EXPECT_TRUE(contents("text") == sent);
}

TEST_P(files, scatter_and_gather) {
  site().run([&] {
    file both = file::open(place / "text", for_both);
    std::string hello = "hello, ";
    std::string world = "world";
    const std::array<asio::const_buffer, 3> out{asio::buffer(hello), asio::const_buffer(),
                                                asio::buffer(world)};
    EXPECT_EQ(both.write_some(out), 12u);
    std::string first(4, '-');
    std::string second(20, '-');
    const std::array<asio::mutable_buffer, 2> in{asio::buffer(first), asio::buffer(second)};
    EXPECT_EQ(both.read_some_at(0, in), 12u);
    EXPECT_EQ(first + second.substr(0, 8), "hello, world");
    EXPECT_EQ(both.read_some(asio::mutable_buffer()), 0u);
    EXPECT_EQ(both.write_some(asio::const_buffer()), 0u);
  });
}

TEST_P(files, transfer_at_offsets_and_keep_the_position) {
  site().run([&] {
    file both = file::open(place / "text", for_both);
    EXPECT_EQ(asio::write(both, asio::buffer("0123456789", 10)), 10u);
    EXPECT_EQ(asio::write_at(both, 3, asio::buffer("abc", 3)), 3u);
    std::string middle(4, '-');
    EXPECT_EQ(asio::read_at(both, 2, asio::buffer(middle)), 4u);
    EXPECT_EQ(middle, "2abc");
    EXPECT_EQ(asio::write(both, asio::buffer("!", 1)), 1u);
    EXPECT_EQ(both.read_some_at(11, asio::buffer(middle), error), 0u);
    EXPECT_EQ(error, asio::error::eof);
    EXPECT_EQ(both.read_some_at(std::uint64_t{1} << 63, asio::buffer(middle), error), 0u);
    EXPECT_EQ(error, asio::error::invalid_argument);
    EXPECT_EQ(both.write_some_at(std::uint64_t{1} << 63, asio::buffer(middle), error), 0u);
    EXPECT_EQ(error, asio::error::invalid_argument);
  });
  EXPECT_EQ(contents("text"), "012abc6789!");
}

TEST_P(files, open_as_they_are_asked_to) {
  put("old", "something");
  site().run([&] {
    file::open(place / "missing", {}, error);
    EXPECT_EQ(error, std::errc::no_such_file_or_directory);
    file::open(place / "old", {.write = true, .create = true, .exclusive = true}, error);
    EXPECT_EQ(error, std::errc::file_exists);
    file::open(place / "old", {.read = false}, error);
    EXPECT_EQ(error, asio::error::invalid_argument);
    file::open((place / "old") + std::string(1, '\0'), {}, error);
    EXPECT_EQ(error, asio::error::invalid_argument);

    file more = file::open(place / "old", {.read = false, .write = true, .append = true}, error);
    ASSERT_FALSE(error) << error.message();
    EXPECT_NE(::fcntl(more.native_handle(), F_GETFD) & FD_CLOEXEC, 0);
    asio::write(more, asio::buffer(" new", 4));
    std::string text(1, '-');
    more.read_some(asio::buffer(text), error);
    EXPECT_EQ(error, asio::error::bad_descriptor);
    EXPECT_EQ(contents("old"), "something new");

    file::open(place / "old", {.write = true, .truncate = true}, error);
    EXPECT_FALSE(error) << error.message();
    EXPECT_EQ(contents("old"), "");

    const file strict = file::open(
        place / "strict", {.write = true, .create = true, .permissions = S_IRUSR | S_IWUSR});
    EXPECT_EQ(strict.status().permissions, mode_t{S_IRUSR | S_IWUSR});
  });
}

TEST_P(files, say_in_an_exception_which_one_it_was) {
  site().run([&] {
    try {
      file::open(place / "missing");
      ADD_FAILURE() << "it is there";
    } catch (const std::system_error& failure) {
      EXPECT_NE(std::string(failure.what()).find("open " + (place / "missing")), std::string::npos);
    }
  });
}

TEST_P(files, get_another_size_and_are_flushed) {
  site().run([&] {
    file both = file::open(place / "text", for_both);
    asio::write(both, asio::buffer("0123456789", 10));
    both.resize(4);
    both.sync();
    both.resize(6);
    both.sync_data();
    const file_status about = both.status();
    EXPECT_EQ(about.type, file_type::regular);
    EXPECT_EQ(about.size, 6u);
    EXPECT_EQ(about.links, 1u);
    EXPECT_EQ(about.owner, ::geteuid());
    EXPECT_GT(about.modified.time_since_epoch().count(), 0);
  });
  EXPECT_EQ(contents("text"), std::string("0123\0\0", 6));
}

TEST_P(files, that_are_closed_report_it) {
  site().run([&] {
    file closed = file::open(place / "text", for_both);
    file moved = std::move(closed);
    EXPECT_TRUE(moved.is_open());
    moved.close();
    moved.close();
    const auto expect_bad = [&](const char* what) {
      EXPECT_EQ(error, asio::error::bad_descriptor) << what;
      error.clear();
    };
    std::string text(1, '-');
    moved.read_some(asio::buffer(text), error);
    expect_bad("read_some");
    moved.write_some(asio::buffer(text), error);
    expect_bad("write_some");
    moved.sync(error);
    expect_bad("sync");
    moved.resize(1, error);
    expect_bad("resize");
    moved.seek(1, error);
    expect_bad("seek");
    moved.status(error);
    expect_bad("status");
  });
}

TEST_P(files, are_renamed_and_removed) {
  put("one", "1");
  put("two", "2");
  site().run([&] {
    rename(place / "one", place / "two");
    EXPECT_EQ(contents("two"), "1");
    rename(place / "one", place / "two", error);
    EXPECT_EQ(error, std::errc::no_such_file_or_directory);
    make_directory(place / "inner");
    make_directory(place / "inner", 0777, error);
    EXPECT_EQ(error, std::errc::file_exists);
    rename(place / "two", place / "inner/two");
    remove_directory(place / "inner", error);
    EXPECT_EQ(error, std::errc::directory_not_empty);
    remove_file(place / "inner/two");
    remove_file(place / "inner/two", error);
    EXPECT_EQ(error, std::errc::no_such_file_or_directory);
    remove_directory(place / "inner");
    EXPECT_TRUE(list_directory(place.path()).empty());
  });
}

TEST_P(files, and_links_are_told_apart) {
  put("text", "12345");
  EXPECT_EQ(::symlink("text", (place / "link").c_str()), 0);
  site().run([&] {
    EXPECT_EQ(status(place / "link").size, 5u);
    EXPECT_EQ(status(place / "link").type, file_type::regular);
    EXPECT_EQ(link_status(place / "link").type, file_type::symbolic_link);
    EXPECT_EQ(status(place.path()).type, file_type::directory);
    EXPECT_EQ(status(place / "link").inode, link_status(place / "text").inode);
    status(place / "missing", error);
    EXPECT_EQ(error, std::errc::no_such_file_or_directory);
  });
}

TEST_P(files, are_listed_all_of_them) {
  constexpr unsigned many = 600;  // more than fit into one part
  for (unsigned number = 0; number < many; ++number) {
    put("a file with a long name, so that there are parts " + std::to_string(number), "");
  }
  EXPECT_EQ(::mkdir((place / "directory").c_str(), 0777), 0);
  EXPECT_EQ(::symlink("x", (place / "link").c_str()), 0);
  site().run([&] {
    const std::vector<directory_entry> found = list_directory(place.path());
    EXPECT_EQ(found.size(), many + 2);
    const auto type_of = [&](const std::string& name) {
      const auto at = std::ranges::find(found, name, &directory_entry::name);
      return at == found.end() ? file_type::unknown : at->type;
    };
    EXPECT_EQ(type_of("directory"), file_type::directory);
    EXPECT_EQ(type_of("link"), file_type::symbolic_link);
    EXPECT_EQ(type_of("a file with a long name, so that there are parts 599"), file_type::regular);
    list_directory("/dev/null", error);
    EXPECT_EQ(error, std::errc::not_a_directory);
    list_directory(place / "missing", error);
    EXPECT_EQ(error, std::errc::no_such_file_or_directory);
  });
}

TEST_P(files, are_read_whole_up_to_a_limit) {
  const std::string much(100'000, 'x');
  put("much", much);
  put("nothing", "");
  site().run([&] {
    EXPECT_TRUE(read_file(place / "much") == much);
    EXPECT_TRUE(read_file(place / "much", much.size()) == much);
    EXPECT_EQ(read_file(place / "much", much.size() - 1, error), "");
    EXPECT_EQ(error, std::errc::file_too_large);
    EXPECT_EQ(read_file(place / "nothing", 0, error), "");
    EXPECT_FALSE(error) << error.message();
    // Its size is said to be 0.
    EXPECT_NE(read_file("/proc/self/status").find("Threads:"), std::string::npos);
    read_file(place / "missing", 1, error);
    EXPECT_EQ(error, std::errc::no_such_file_or_directory);
    read_file(place.path(), 1, error);
    EXPECT_EQ(error, std::errc::is_a_directory);
  });
}

TEST_P(files, are_written_whole_or_not_at_all) {
  put("text", "old");
  EXPECT_EQ(::mkdir((place / "directory").c_str(), 0777), 0);
  site().run([&] {
    write_file_atomically(place / "text", "new");
    EXPECT_EQ(contents("text"), "new");
    // It cannot take the name of a directory; what was written is removed.
    write_file_atomically(place / "directory", "new", 0666, error);
    EXPECT_EQ(error, std::errc::is_a_directory);
    EXPECT_EQ(list_directory(place.path()).size(), 2u);
    write_file_atomically(place / "missing/text", "new", 0666, error);
    EXPECT_EQ(error, std::errc::no_such_file_or_directory);
  });
}

// The only open that waits for somebody else. Over epoll, and on a thread, nothing can end it.
TEST_P(files, that_are_pipes_with_names_are_opened_until_the_scope_ends) {
  if (GetParam().reactor != std::string("io_uring")) GTEST_SKIP() << "only io_uring can end it";
  EXPECT_EQ(::mkfifo((place / "fifo").c_str(), 0666), 0);
  site().run([&] {
    const deadline until = testing::soon();
    const deadline_scope scope(until);
    file::open(place / "fifo", {}, error);
    EXPECT_EQ(error, asio::error::timed_out);
    EXPECT_TRUE(until.passed());
  });
}

TEST_P(files, are_left_alone_in_a_cancelled_scope) {
  put("text", "old");
  site().run([&] {
    file opened = file::open(place / "text", for_writing);
    cancellation_source source;
    const cancellation_scope scope(source.token());
    source.cancel();
    const auto expect_aborted = [&](const char* what) {
      EXPECT_EQ(error, asio::error::operation_aborted) << what;
      error.clear();
    };
    file::open(place / "new", for_writing, error);
    expect_aborted("open");
    opened.sync(error);
    expect_aborted("sync");
    opened.resize(0, error);
    expect_aborted("resize");
    opened.write_some(asio::buffer("x", 1), error);
    expect_aborted("write_some");
    remove_file(place / "text", error);
    expect_aborted("remove_file");
    list_directory(place.path(), error);
    expect_aborted("list_directory");
    write_file_atomically(place / "text", "new", 0666, error);
    expect_aborted("write_file_atomically");
  });
  EXPECT_EQ(contents("text"), "old");
}

}  // namespace
}  // namespace umcg::os
