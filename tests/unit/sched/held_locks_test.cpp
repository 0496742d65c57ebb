// SPDX-License-Identifier: MIT

// Workers stop, in system calls and by preemption, while they hold the locks of the C library that
// everybody uses. The scheduler takes none of them, so everything else goes on. This program's
// malloc is its own: the C library's behind a lock that a test can hold.
#include <errno.h>
#include <link.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <resolv.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <vector>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "umcg/group.hpp"
#include "unit/sched/byte_pipe.hpp"
#include "unit/sched/group_test.hpp"

extern "C" {
void* __libc_malloc(std::size_t);
void __libc_free(void*);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
}

namespace {

// Recursive, so that its holder may go on allocating.
pthread_mutex_t malloc_lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

class malloc_guard {
 public:
  malloc_guard() noexcept { ::pthread_mutex_lock(&malloc_lock); }
  ~malloc_guard() { ::pthread_mutex_unlock(&malloc_lock); }
  malloc_guard(const malloc_guard&) = delete;
  malloc_guard& operator=(const malloc_guard&) = delete;
};

}  // namespace

extern "C" {

void* malloc(std::size_t size) {
  const malloc_guard guard;
  return __libc_malloc(size);
}
void free(void* memory) {
  const malloc_guard guard;
  __libc_free(memory);
}
void* calloc(std::size_t count, std::size_t size) {
  const malloc_guard guard;
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) {
  const malloc_guard guard;
  return __libc_realloc(memory, size);
}

}  // extern "C"

namespace umcg {
namespace {

using std::chrono::milliseconds;

// The scheduler at work, and nobody who allocates: workers that were there before wait and run.
class crowd {
 public:
  explicit crowd(group& on) {
    for (int at = 0; at < count; ++at) {
      workers_.push_back(on.spawn([this] {
        while (!over_) {
          sleep_until(deadline::after(milliseconds(1)));
          ++turns_;
        }
      }));
    }
  }
  ~crowd() {
    over_ = true;
    for (worker& each : workers_) each.join();
  }
  crowd(const crowd&) = delete;
  crowd& operator=(const crowd&) = delete;

  bool goes_on() const {
    const int before = turns_;
    return testing::becomes_true([&] { return turns_ > before + 20 * count; });
  }

 private:
  static constexpr int count = 50;
  std::atomic<bool> over_{false};
  std::atomic<int> turns_{0};
  std::vector<worker> workers_;
};

class held_lock : public ::testing::TestWithParam<unsigned> {
 protected:
  void SetUp() override {
    if (on.description().find("usermode") == std::string::npos) GTEST_SKIP() << on.description();
  }

  // `hold(inside)` takes a lock, calls inside() and gives it back. In there the worker blocks its
  // carrier, and in the second half of the test it computes until it has been preempted.
  template <class Hold>
  void test(Hold hold) {
    const crowd others(on);
    const testing::byte_pipe silent;
    std::atomic<bool> has_it{false};
    worker stuck = on.spawn([&] {
      hold([&] {
        has_it = true;
        silent.wait_for_byte();
      });
    });
    EXPECT_TRUE(testing::becomes_true([&] { return has_it.load(); }));
    EXPECT_TRUE(others.goes_on());
    silent.send_bytes(1);
    stuck.join();

    std::atomic<bool> enough{false};
    has_it = false;
    worker busy = on.spawn([&] {
      hold([&] {
        has_it = true;
        while (!enough) {
        }
      });
    });
    EXPECT_TRUE(testing::becomes_true([&] { return has_it.load(); }));
    EXPECT_TRUE(others.goes_on());
    enough = true;
    busy.join();
  }

  testing::hang_limit limit;
  group on = group::start({.servers = GetParam()});
};

TEST_P(held_lock, of_malloc) {
  test([](auto inside) {
    const malloc_guard guard;
    inside();
  });
}

// Who spawns allocates, and waits like anybody else who does.
TEST_P(held_lock, of_malloc_beside_those_who_spawn) {
  const crowd others(on);
  const testing::byte_pipe silent;
  std::atomic<bool> has_it{false};
  std::atomic<int> spawns{0};
  std::atomic<int> spawned{0};
  std::vector<worker> spawners;
  for (int at = 0; at < 2; ++at) {
    spawners.push_back(on.spawn([&] {
      while (!has_it) yield();
      ++spawns;
      on.spawn([&] { ++spawned; }).detach();
    }));
  }
  worker stuck = on.spawn([&] {
    const malloc_guard guard;
    has_it = true;
    silent.wait_for_byte();
  });
  EXPECT_TRUE(testing::becomes_true([&] { return spawns == 2; }));
  EXPECT_TRUE(others.goes_on());
  EXPECT_EQ(spawned, 0) << "nobody allocated";
  silent.send_bytes(1);
  stuck.join();
  for (worker& each : spawners) each.join();
  EXPECT_TRUE(testing::becomes_true([&] { return spawned == 2; }));
}

TEST_P(held_lock, of_standard_output) {
  test([](auto inside) {
    ::flockfile(stdout);
    ::flockfile(stderr);
    inside();
    ::funlockfile(stderr);
    ::funlockfile(stdout);
  });
}

// dl_iterate_phdr(3) calls back with the loader's lock held.
TEST_P(held_lock, of_the_loader) {
  test([](auto inside) {
    ::dl_iterate_phdr(
        [](dl_phdr_info*, std::size_t, void* argument) {
          (*static_cast<decltype(inside)*>(argument))();
          return 1;
        },
        &inside);
  });
}

// The only name server of those who ask it; answers when it is told to.
class name_server {
 public:
  name_server() {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    auto* const address = reinterpret_cast<sockaddr*>(&where);
    EXPECT_EQ(::bind(socket_.get(), address, size), 0);
    EXPECT_EQ(::getsockname(socket_.get(), address, &size), 0);
    where_ = where;
  }

  // By a worker. gethostbyname(3) has the resolver's lock while it waits for an answer.
  void ask(const char* name) const {
    ASSERT_EQ(::res_init(), 0);
    _res.nscount = 1;
    _res.nsaddr_list[0] = where_;
    _res.retrans = 60;
    EXPECT_EQ(::gethostbyname(name), nullptr);
  }

  bool receives_query() {
    length_ = sizeof client_;
    const ssize_t size = ::recvfrom(socket_.get(), query_.data(), query_.size(), MSG_DONTWAIT,
                                    reinterpret_cast<sockaddr*>(&client_), &length_);
    if (size > 0) size_ = static_cast<std::size_t>(size);
    return size > 0;
  }
  // There is no such name (RFC 1035, 4.1.1: QR, and RCODE 3).
  void deny() {
    query_[2] = static_cast<char>(query_[2] | 0x80);
    query_[3] = 3;
    EXPECT_GT(::sendto(socket_.get(), query_.data(), size_, 0,
                       reinterpret_cast<const sockaddr*>(&client_), length_),
              0);
  }

 private:
  const base::unique_fd socket_{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  sockaddr_in where_{};
  sockaddr_in client_{};
  socklen_t length_ = 0;
  std::array<char, 512> query_{};
  std::size_t size_ = 0;
};

TEST_P(held_lock, of_the_resolver) {
  name_server names;
  const crowd others(on);
  worker stuck = on.spawn([&] { names.ask("stuck.invalid."); });
  ASSERT_TRUE(testing::becomes_true([&] { return names.receives_query(); }));
  std::atomic<bool> asks{false};
  worker next = on.spawn([&] {
    asks = true;
    names.ask("next.invalid.");
  });
  EXPECT_TRUE(testing::becomes_true([&] { return asks.load(); }));
  EXPECT_TRUE(others.goes_on());
  EXPECT_FALSE(names.receives_query()) << "nobody has the resolver's lock";
  names.deny();
  stuck.join();
  ASSERT_TRUE(testing::becomes_true([&] { return names.receives_query(); }));
  names.deny();
  next.join();
}

INSTANTIATE_TEST_SUITE_P(servers, held_lock, ::testing::Values(1U, 2U));

}  // namespace
}  // namespace umcg
