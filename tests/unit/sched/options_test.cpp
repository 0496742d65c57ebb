// SPDX-License-Identifier: MIT

// What a group and a worker are started with: option values that are refused, names, stack sizes
// and the limit on workers.

#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <latch>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "umcg/group.hpp"
#include "umcg/worker.hpp"
#include "unit/sched/group_test.hpp"

namespace umcg {
namespace {

constexpr std::size_t kibibyte = 1024;

using group_options_test = testing::group_test;

struct refused {
  group_options options;
  std::errc error;
  std::string_view says;
};

TEST_F(group_options_test, refuses_what_it_cannot_do_and_says_why) {
  using std::errc;
  const refused all[] = {
      {{.servers = 257}, errc::invalid_argument, "servers must be between 0 and 256"},
      {{.stack_size_bytes = 16 * kibibyte - 1}, errc::invalid_argument, "stack_size_bytes"},
      {{.stack_size_bytes = (std::size_t{1} << 30) + 1}, errc::invalid_argument, "stack_size_b"},
      {{.kernel = "linux"}, errc::function_not_supported, "linux"},
      {{.reactor = "select"}, errc::function_not_supported, "select"},
  };
  for (const refused& each : all) {
    std::error_code error;
    group::start(each.options, error);
    EXPECT_EQ(error, each.error) << each.says;
    try {
      group::start(each.options);
      ADD_FAILURE() << "started: " << each.says;
    } catch (const std::system_error& problem) {
      EXPECT_EQ(problem.code(), each.error);
      EXPECT_NE(std::string_view(problem.what()).find(each.says), std::string_view::npos)
          << problem.what();
    }
  }
}

TEST_F(group_options_test, describes_what_is_in_use) {
  std::error_code error = std::make_error_code(std::errc::io_error);
  const group on = group::start({.servers = 3}, error);
  EXPECT_FALSE(error);
  EXPECT_EQ(on.servers(), 3u);
  EXPECT_NE(on.description().find("usermode"), std::string::npos) << on.description();
  EXPECT_NE(on.description().find("reactor"), std::string::npos) << on.description();
  EXPECT_EQ(on.description().find('\n'), std::string::npos) << on.description();
}

TEST_F(group_options_test, has_a_server_for_each_cpu_by_default) {
  cpu_set_t usable;
  ASSERT_EQ(::sched_getaffinity(0, sizeof usable, &usable), 0);
  const group on = group::start();
  EXPECT_EQ(on.servers(), static_cast<unsigned>(CPU_COUNT(&usable)));
}

TEST_F(group_options_test, limits_its_workers) {
  group on = group::start({.servers = 2, .workers_max = 3});
  std::atomic<bool> may_end = false;
  const auto wait = [&may_end] {
    while (!may_end) yield();
  };
  std::vector<worker> full;
  for (int i = 0; i < 3; ++i) full.push_back(on.spawn(wait));
  std::error_code error;
  worker refused_one = on.spawn(wait, {}, error);
  EXPECT_EQ(error, std::errc::resource_unavailable_try_again);
  EXPECT_FALSE(refused_one.joinable());
  EXPECT_THROW(on.spawn(wait), std::system_error);
  EXPECT_EQ(on.workers(), 3u);
  may_end = true;
  full.clear();
  on.spawn(wait, {}, error).join();
  EXPECT_FALSE(error);
}

// Where a worker has been joined, there is room for the next, every time.
TEST_F(group_options_test, has_room_for_the_next_after_a_join) {
  for (const unsigned servers : {1U, 2U}) {
    group on = group::start({.servers = servers, .workers_max = 1});
    for (int round = 0; round < 5000; ++round) {
      std::error_code error;
      on.spawn([] {}, {}, error).join();
      ASSERT_FALSE(error) << "round " << round << ", " << servers
                          << " servers: " << error.message();
    }
  }
}

using worker_name = testing::group_test;

std::string name_given(group& on, std::string_view name) {
  std::string seen;
  on.spawn(
        [&seen] {
          const std::string before(this_worker_name());
          yield();
          sleep_until(deadline::after(std::chrono::milliseconds(1)));
          seen = this_worker_name();
          EXPECT_EQ(seen, before);
        },
        {.name = name})
      .join();
  return seen;
}

TEST_F(worker_name, is_kept_up_to_31_bytes) {
  group on = group::start({.servers = 1});
  const std::string longest(31, 'x');
  EXPECT_EQ(name_given(on, "connection"), "connection");
  EXPECT_EQ(name_given(on, longest), longest);
  EXPECT_EQ(name_given(on, longest + "y"), longest);
  EXPECT_EQ(name_given(on, "ab"), "ab") << "something of the name before is left";
  EXPECT_EQ(name_given(on, ""), "");
  // Not every string_view ends with a NUL.
  EXPECT_EQ(name_given(on, std::string_view("listener").substr(0, 6)), "listen");
}

TEST_F(worker_name, is_empty_on_a_plain_thread) { EXPECT_EQ(this_worker_name(), ""); }

class stack_size : public testing::group_test, public ::testing::WithParamInterface<std::size_t> {};

INSTANTIATE_TEST_SUITE_P(bytes, stack_size,
                         ::testing::Values(16 * kibibyte, 64 * kibibyte, 256 * kibibyte, 300'000,
                                           8192 * kibibyte));

std::size_t own_stack_size() {
  pthread_attr_t attributes;
  EXPECT_EQ(pthread_getattr_np(pthread_self(), &attributes), 0);
  void* lowest = nullptr;
  std::size_t size = 0;
  EXPECT_EQ(pthread_attr_getstack(&attributes, &lowest, &size), 0);
  pthread_attr_destroy(&attributes);
  return size;
}

// Writes to all of a stack but the part that TLS and frames take anyway.
[[gnu::noinline]] void use_stack(std::size_t bytes) {
  auto* const memory = static_cast<unsigned char*>(__builtin_alloca(bytes));
  std::memset(memory, 0x5a, bytes);
  asm("" : : "r"(memory) : "memory");
}

// More than one worker, because not every stack begins at the same place in a page.
TEST_P(stack_size, is_what_was_asked_for) {
  constexpr int workers = 40;
  const std::size_t asked = GetParam();
  group on = group::start({.servers = 1});
  std::latch all_run(workers);
  std::vector<worker> spawned;
  for (int i = 0; i < workers; ++i) {
    std::error_code error;
    spawned.push_back(on.spawn(
        [&all_run, asked] {
          EXPECT_GE(own_stack_size(), asked - 1024);
          EXPECT_LE(own_stack_size(), asked + 8192);
          if (asked >= 64 * kibibyte) use_stack(asked - 24 * kibibyte);
          all_run.count_down();
          while (!all_run.try_wait()) yield();
        },
        {.stack_size_bytes = asked}, error));
    ASSERT_FALSE(error) << "worker " << i << ": " << error.message();
  }
}

TEST_P(stack_size, of_the_group_is_its_workers) {
  group on = group::start({.servers = 1, .stack_size_bytes = GetParam()});
  std::size_t seen = 0;
  on.spawn([&seen] { seen = own_stack_size(); }).join();
  EXPECT_GE(seen, GetParam() - 1024);
}

}  // namespace
}  // namespace umcg
