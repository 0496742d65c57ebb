// SPDX-License-Identifier: MIT

// Pipes and child processes, at every site.

#include "umcg/os/child.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <string>

#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/write.hpp>
#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "umcg/cancellation.hpp"
#include "umcg/deadline_scope.hpp"
#include "umcg/os/directory.hpp"
#include "unit/io/call_site.hpp"
#include "unit/os/temporary_directory.hpp"

namespace umcg::os {
namespace {

// Of pipes and processes. The library itself opens others at any time, to watch its threads.
std::ptrdiff_t descriptors() {
  const auto all = std::filesystem::directory_iterator("/proc/self/fd");
  return std::count_if(begin(all), end(all), [](const auto& each) {
    std::error_code gone;
    const std::string what = std::filesystem::read_symlink(each.path(), gone);
    return what.starts_with("pipe:") || what.find("pidfd") != std::string::npos;
  });
}

// Neither running nor a zombie.
bool has_no_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD;
}

class with_children : public testing::site_test {
 protected:
  void TearDown() override { EXPECT_TRUE(has_no_children()); }

  std::error_code error = std::make_error_code(std::errc::io_error);
};

class pipes : public with_children {};

INSTANTIATE_TEST_SUITE_P(at, pipes, testing::all_sites(), testing::site_name);

TEST_P(pipes, carry_more_than_they_hold) {
  const std::string sent(500'000, 'x');
  std::string received(sent.size() + 1, '-');
  pipe both = make_pipe();
  EXPECT_NE(::fcntl(both.reader.native_handle(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(::fcntl(both.writer.native_handle(), F_GETFD) & FD_CLOEXEC, 0);
  site().start([&, to = std::move(both.writer)]() mutable {
    EXPECT_EQ(asio::write(to, asio::buffer(sent)), sent.size());
    to.close();
  });
  site().start(
      [&] { EXPECT_EQ(asio::read(both.reader, asio::buffer(received), error), sent.size()); });
  site().join();
  EXPECT_EQ(error, asio::error::eof);
  received.pop_back();
  EXPECT_TRUE(received == sent);
}

TEST_P(pipes, are_waited_for_up_to_the_deadline) {
  site().run([&] {
    pipe both = make_pipe();
    std::string text(100'000, '-');
    both.reader.expires_at(testing::soon());
    both.reader.read_some(asio::buffer(text), error);
    EXPECT_EQ(error, asio::error::timed_out);
    EXPECT_TRUE(both.reader.expiry().passed());
    both.writer.expires_at(testing::soon());
    asio::write(both.writer, asio::buffer(text), error);  // more than fits
    EXPECT_EQ(error, asio::error::timed_out);
    // What is there is read all the same.
    EXPECT_GT(both.reader.read_some(asio::buffer(text), error), 0u);
    EXPECT_FALSE(error) << error.message();
  });
}

TEST_P(pipes, are_waited_for_until_that_is_cancelled) {
  pipe both = make_pipe();
  cancellation_source source;
  site().start([&] {
    const cancellation_scope scope(source.token());
    std::string text(1, '-');
    both.reader.read_some(asio::buffer(text), error);
  });
  site().wait_until_blocked();
  source.cancel();
  site().join();
  EXPECT_EQ(error, asio::error::operation_aborted);
}

TEST_P(pipes, that_nobody_reads_are_broken) {
  site().run([&] {
    pipe both = make_pipe();
    both.reader.close();
    both.writer.write_some(asio::buffer("x", 1), error);
    EXPECT_EQ(error, asio::error::broken_pipe);
    both.writer.close();
    both.writer.write_some(asio::buffer("x", 1), error);
    EXPECT_EQ(error, asio::error::bad_descriptor);
  });
}

// Its workers are threads with the signal mask of whoever has spawned them.
TEST(pipes_of_plain_workers, that_nobody_reads_are_broken) {
  for (const char* reactor : {"io_uring", "epoll"}) {
    std::error_code no_group;
    group workers = group::start({.servers = 1, .kernel = "futex", .reactor = reactor}, no_group);
    if (no_group) continue;
    workers.spawn([] {
      pipe both = make_pipe();
      both.reader.close();
      std::error_code error;
      both.writer.write_some(asio::buffer("x", 1), error);
      EXPECT_EQ(error, asio::error::broken_pipe);
    });
  }
}

class children : public with_children {};

INSTANTIATE_TEST_SUITE_P(at, children, testing::all_sites(), testing::site_name);

TEST_P(children, say_how_they_have_ended) {
  site().run([&] {
    EXPECT_TRUE(child::start({"true"}).wait().success());
    child seven = child::start({"sh", "-c", "exit 7"});
    EXPECT_GT(seven.id(), 0);
    exit_status status = seven.wait();
    EXPECT_EQ(status.code, 7);
    EXPECT_FALSE(status.success());
    EXPECT_EQ(seven.id(), 0);
    EXPECT_EQ(seven.wait(testing::long_ago(), error).code, 7) << "it is known";
    EXPECT_FALSE(error);
    seven.send_signal(SIGTERM, error);
    EXPECT_EQ(error, std::errc::no_such_process);
    status = child::start({"sh", "-c", "kill -TERM $$"}).wait();
    EXPECT_EQ(status.signal, SIGTERM);
    EXPECT_FALSE(status.success());
  });
}

TEST_P(children, that_cannot_be_started_say_why) {
  site().run([&] {
    const std::ptrdiff_t before = descriptors();
    child::start({"/no/such/program"}, {.output = redirection::piped()}, error);
    EXPECT_EQ(error, std::errc::no_such_file_or_directory);
    child::start({"/dev/null"}, {}, error);
    EXPECT_EQ(error, asio::error::access_denied);
    child::start({"true"}, {.directory = "/no/such/directory"}, error);
    EXPECT_EQ(error, std::errc::no_such_file_or_directory);
    child::start({}, {}, error);
    EXPECT_EQ(error, asio::error::invalid_argument);
    child::start({std::string("tr\0ue", 5)}, {}, error);
    EXPECT_EQ(error, asio::error::invalid_argument);
    EXPECT_EQ(descriptors(), before);
    EXPECT_TRUE(has_no_children());
    EXPECT_THROW(child::start({"/no/such/program"}), std::system_error);
  });
}

TEST_P(children, talk_through_pipes) {
  site().run([&] {
    child cat =
        child::start({"cat"}, {.input = redirection::piped(), .output = redirection::piped()});
    std::string line;
    for (const char* said : {"one\n", "two\n"}) {
      asio::write(cat.input(), asio::buffer(std::string(said)));
      line.clear();
      asio::read_until(cat.output(), asio::dynamic_buffer(line), '\n');
      EXPECT_EQ(line, said);
    }
    EXPECT_FALSE(cat.errors().is_open());
    cat.input().close();
    line.clear();
    asio::read(cat.output(), asio::dynamic_buffer(line), error);
    EXPECT_EQ(error, asio::error::eof);
    EXPECT_EQ(line, "");
    EXPECT_TRUE(cat.wait().success());
  });
}

TEST_P(children, have_the_files_directory_and_environment_that_they_are_given) {
  const testing::temporary_directory place;
  site().run([&] {
    file into = file::open(place / "text", {.read = false, .write = true, .create = true});
    child said = child::start({"sh", "-c", "cat; pwd; echo $A$B; echo error >&2"},
                              {.output = redirection::to(into),
                               .errors = redirection::with_output(),
                               .directory = place.path(),
                               .environment = {{"A=1", "B=2", "PATH=/usr/bin:/bin"}}});
    EXPECT_TRUE(said.wait().success());
    EXPECT_EQ(read_file(place / "text"), place.path() + "\n12\nerror\n");
    into.write_some(asio::buffer("x", 1), error);
    EXPECT_FALSE(error) << "it is ours still: " << error.message();
  });
}

// The mask of a carrier blocks nearly everything, and a server may ignore SIGPIPE.
TEST_P(children, have_three_descriptors_and_no_signal_blocked) {
  constexpr int number = 57;
  const base::unique_fd leaked(::fcntl(STDERR_FILENO, F_DUPFD, number));  // others are careless
  ASSERT_EQ(leaked.get(), number);
  struct sigaction ignored {};
  ignored.sa_handler = SIG_IGN;
  struct sigaction before {};
  ASSERT_EQ(::sigaction(SIGPIPE, &ignored, &before), 0);
  site().run([&] {
    EXPECT_EQ(run({"sh", "-c", "test -e /proc/self/fd/2"}).status.code, 0);
    EXPECT_EQ(run({"sh", "-c", "test -e /proc/self/fd/57"}).status.code, 1);
    const run_result seen = run({"grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"});
    EXPECT_NE(seen.output.find("SigBlk:\t0000000000000000"), std::string::npos) << seen.output;
    const std::size_t at = seen.output.find("SigIgn:\t");
    ASSERT_NE(at, std::string::npos);
    const auto mask = std::stoull(seen.output.substr(at + 8), nullptr, 16);
    EXPECT_EQ(mask >> (SIGPIPE - 1) & 1, 0u) << seen.output;
  });
  ASSERT_EQ(::sigaction(SIGPIPE, &before, nullptr), 0);
}

// A source may have the number that another one is to get.
TEST_P(children, get_their_streams_crosswise) {
  const base::unique_fd output(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  const base::unique_fd errors(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
  pipe one = make_pipe();
  pipe two = make_pipe();
  std::string from_one;
  std::string from_two;
  std::fflush(stdout);
  ASSERT_EQ(::dup2(one.writer.native_handle(), STDOUT_FILENO), STDOUT_FILENO);
  ASSERT_EQ(::dup2(two.writer.native_handle(), STDERR_FILENO), STDERR_FILENO);
  site().run([&] {
    file of_output(STDOUT_FILENO);
    file of_errors(STDERR_FILENO);
    child::start({"sh", "-c", "echo out; echo err >&2"},
                 {.output = redirection::to(of_errors), .errors = redirection::to(of_output)},
                 error)
        .wait();
    of_output.release();
    of_errors.release();
  });
  ASSERT_EQ(::dup2(output.get(), STDOUT_FILENO), STDOUT_FILENO);
  ASSERT_EQ(::dup2(errors.get(), STDERR_FILENO), STDERR_FILENO);
  EXPECT_FALSE(error) << error.message();
  one.writer.close();
  two.writer.close();
  asio::read(one.reader, asio::dynamic_buffer(from_one), error);
  asio::read(two.reader, asio::dynamic_buffer(from_two), error);
  EXPECT_EQ(from_one, "err\n");
  EXPECT_EQ(from_two, "out\n");
}

TEST_P(children, are_waited_for_up_to_a_deadline_and_go_with_their_objects) {
  site().run([&] {
    const std::ptrdiff_t before = descriptors();
    {
      child endless = child::start({"sleep", "1000"});
      endless.wait(testing::soon(), error);
      EXPECT_EQ(error, asio::error::timed_out);
      endless.wait(testing::long_ago(), error);
      EXPECT_EQ(error, asio::error::timed_out);
      const deadline_scope scope(testing::soon());
      EXPECT_THROW(endless.wait(), std::system_error);
      cancellation_source source;
      const cancellation_scope cancelled(source.token());
      source.cancel();
      endless.wait(deadline::never(), error);
      EXPECT_EQ(error, asio::error::operation_aborted);
      EXPECT_GT(endless.id(), 0);
      child moved = std::move(endless);
      EXPECT_EQ(endless.id(), 0);
    }
    EXPECT_TRUE(has_no_children());
    EXPECT_EQ(descriptors(), before);
    child stopped = child::start({"sleep", "1000"});
    stopped.send_signal(SIGTERM);
    EXPECT_EQ(stopped.wait().signal, SIGTERM);
  });
}

TEST_P(children, end_while_somebody_waits) {
  child cat = child::start({"cat"}, {.input = redirection::piped()});
  exit_status status{.code = -1};
  site().start([&] { status = cat.wait(); });
  site().wait_until_blocked();
  cat.input().close();
  site().join();
  EXPECT_TRUE(status.success());
}

TEST_P(children, run_to_the_end) {
  site().run([&] {
    const std::string much(200'000, 'x');
    const run_result copied = run({"cat"}, {.input = much});
    EXPECT_TRUE(copied.status.success());
    EXPECT_TRUE(copied.output == much);
    EXPECT_EQ(run({"cat"}).output, "");
    const run_result both =
        run({"sh", "-c", "echo out; echo err >&2; exit 3"}, {.errors = redirection::with_output()});
    EXPECT_EQ(both.output, "out\nerr\n");
    EXPECT_EQ(both.status.code, 3);
    const run_result cut =
        run({"cat"}, {.input = much, .output_bytes_max = 1000}, deadline::never(), error);
    EXPECT_EQ(error, asio::error::message_size);
    EXPECT_EQ(cut.output.size(), 1000u);
    run({"cat"}, {.errors = redirection::piped()}, deadline::never(), error);
    EXPECT_EQ(error, asio::error::invalid_argument);
    run({"/no/such/program"}, {}, deadline::never(), error);
    EXPECT_EQ(error, std::errc::no_such_file_or_directory);
  });
}

TEST_P(children, are_killed_at_the_deadline_with_all_that_they_have_started) {
  site().run([&] {
    const run_result killed =
        run({"sh", "-c", "echo begun; sleep 1000 & wait"}, {}, testing::soon(), error);
    EXPECT_EQ(error, asio::error::timed_out);
    EXPECT_TRUE(killed.output.empty() || killed.output == "begun\n") << killed.output;
  });
}

TEST_P(children, of_an_own_group_get_signals_together) {
  site().run([&] {
    child shell = child::start({"sh", "-c", "sleep 1000 & echo; wait"},
                               {.output = redirection::piped(), .own_group = true});
    std::string text;
    asio::read_until(shell.output(), asio::dynamic_buffer(text), '\n');
    shell.send_signal(SIGKILL);
    asio::read(shell.output(), asio::dynamic_buffer(text), error);
    EXPECT_EQ(error, asio::error::eof) << "the other one holds the pipe";
    EXPECT_EQ(shell.wait().signal, SIGKILL);
  });
}

}  // namespace
}  // namespace umcg::os
