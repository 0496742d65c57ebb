// SPDX-License-Identifier: MIT

// The reactors over simulated kernels: seeds say which faults come when. Virtual time, so a minute
// of it takes a second or two.
//
//   umcg-simulation                            20 seeds of 3 s each
//   umcg-simulation --seeds 100 --seconds 60   the long run
//   umcg-simulation --seed 7                   one of them again, as a failure names it

#include <charconv>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "io/epoll_reactor.hpp"
#include "io/uring_reactor.hpp"
#include "kernel/select.hpp"
#include "simulation/epoll.hpp"
#include "simulation/town.hpp"
#include "simulation/uring.hpp"
#include "unit/sched/time_limits.hpp"

namespace umcg::simulation {
namespace {

struct settings {
  unsigned first_seed = 1;
  unsigned seeds = 20;
  unsigned seconds = 3;
};
settings chosen;

void add(tally& sum, const tally& more) {
  sum.calls += more.calls;
  sum.timed_out += more.timed_out;
  sum.broken += more.broken;
  sum.messages += more.messages;
  sum.accepted += more.accepted;
}

void print(const char* reactor, const tally& sum) {
  std::printf(
      "%-8s %u seeds of %u s: %llu calls, %llu timed out, %llu broken off; "
      "%llu messages, %llu connections\n",
      reactor, chosen.seeds, chosen.seconds, static_cast<unsigned long long>(sum.calls),
      static_cast<unsigned long long>(sum.timed_out), static_cast<unsigned long long>(sum.broken),
      static_cast<unsigned long long>(sum.messages), static_cast<unsigned long long>(sum.accepted));
}

class simulated : public ::testing::Test {
 protected:
  // A town's life over the reactor that `make` makes, for each seed; `look` at what is left then.
  template <class Kernel, class Look>
  void for_each_seed(const char* name, io::made_reactor (*make)(Kernel&), Look look) {
    const kernel::choice half = kernel::select_half("auto");
    // A worker that is seen asleep, in malloc or a page fault, would go on beside its server, both
    // of them in what is not locked here.
    half.half->configure({.watch = "off"});
    tally sum;
    for (unsigned seed = chosen.first_seed; seed < chosen.first_seed + chosen.seeds; ++seed) {
      SCOPED_TRACE("--seed " + std::to_string(seed));
      const testing::hang_limit limit(testing::hang_limit::seconds_max *
                                      static_cast<int>(1 + chosen.seconds / 3));
      network over(seed, {});
      Kernel under(over);
      io::made_reactor reactor = make(under);
      ASSERT_NE(reactor.made, nullptr) << reactor.reason;
      std::vector<std::unique_ptr<sched::event_source>> sources;
      sources.push_back(std::move(reactor.made));
      sched::server_group servers(*half.half, {256 * 1024, 0});
      ASSERT_FALSE(servers.start(std::move(sources)));
      town lived(over, servers, std::chrono::seconds(chosen.seconds));
      lived.live();
      EXPECT_EQ(over.open(), 0u) << "descriptors are left";
      EXPECT_EQ(servers.workers(), 0u) << "workers are left";
      EXPECT_EQ(lived.counts().handoffs, 0u) << "a worker ran beside its server";
      look(under);
      add(sum, lived.counts());
      if (HasFailure()) {
        std::printf("again: --seed %u --seconds %u\n", seed, chosen.seconds);
        return;
      }
    }
    print(name, sum);
    EXPECT_GT(sum.messages, 0u);
    EXPECT_GT(sum.timed_out, 0u);
    EXPECT_GT(sum.broken, 0u);
  }
};

TEST_F(simulated, epoll) {
  for_each_seed<epoll>(
      "epoll", [](epoll& under) { return io::epoll_reactor::make(under); },
      [](epoll& under) { EXPECT_EQ(under.registered(), 0u) << "registrations are left"; });
}

TEST_F(simulated, io_uring) {
  unsigned overflows = 0;
  unsigned endings = 0;
  for_each_seed<uring>(
      "io_uring", [](uring& under) { return io::uring_reactor::make(under); },
      [&](uring& under) {
        EXPECT_EQ(under.pending(), 0u) << "operations are left";
        overflows += under.overflows();
        endings += under.endings();
      });
  std::printf("io_uring: %u completions found no room, %u threads ended\n", overflows, endings);
  EXPECT_GT(endings, 0u);
}

bool is_number(const char* text, unsigned& into) {
  const char* const end = text + std::strlen(text);
  return std::from_chars(text, end, into).ptr == end && end != text;
}

// False: an option is wrong.
bool read_options(int count, char** words) {
  for (int at = 1; at + 1 < count; at += 2) {
    const std::string name = words[at];
    unsigned value = 0;
    if (!is_number(words[at + 1], value)) return false;
    if (name == "--seeds") {
      chosen.seeds = value;
    } else if (name == "--seconds") {
      chosen.seconds = value;
    } else if (name == "--seed") {
      chosen.first_seed = value;
      chosen.seeds = 1;
    } else {
      return false;
    }
  }
  return count % 2 == 1;
}

}  // namespace
}  // namespace umcg::simulation

int main(int count, char** words) {
  ::testing::InitGoogleTest(&count, words);
  if (!umcg::simulation::read_options(count, words)) {
    std::fprintf(stderr, "usage: umcg-simulation [--seeds N] [--seconds S] [--seed FIRST]\n");
    return 2;
  }
  return RUN_ALL_TESTS();
}
