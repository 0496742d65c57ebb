// SPDX-License-Identifier: MIT
// What std::mutex and std::condition_variable cost between workers. Built twice, posix_bench with
// libumcg-posix and posix_bench_without: in the first a worker that waits lets its server go on
// with others, in the second it blocks its kernel thread and the server is handed off.
//
// "Each" is one turn of one worker: locking, what is done inside, unlocking; or one way of a ball.
//
//   posix_bench [--rounds N] [--servers N]

#include <time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>

#include "umcg/group.hpp"
#include "umcg/libumcg.h"

namespace {

using umcg::group;
using umcg::worker;

struct cost {
  double time_ns = 0;
  double cpu_ns = 0;
  double handoffs = 0;
};

double cpu_ns() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) * 1e9 + static_cast<double>(used.tv_nsec);
}

std::uint64_t handoffs_of(const group& on) {
  const auto all = on.counters().handoffs;
  return std::accumulate(all.begin(), all.end(), std::uint64_t{0});
}

// Of each of `count` turns that play() takes, on the group if there is one.
cost measure(const group* on, long count, const std::function<void()>& play) {
  const double turns = static_cast<double>(count);
  const std::uint64_t handoffs_before = on != nullptr ? handoffs_of(*on) : 0;
  const double cpu_before = cpu_ns();
  const std::uint64_t begun = umcg_get_time_ns();
  play();
  const double took = static_cast<double>(umcg_get_time_ns() - begun);
  const std::uint64_t handoffs = on != nullptr ? handoffs_of(*on) - handoffs_before : 0;
  return {took / turns, (cpu_ns() - cpu_before) / turns, static_cast<double>(handoffs) / turns};
}

void run_all(group& on, int count, const std::function<void(int)>& work) {
  std::vector<worker> workers;
  for (int at = 0; at < count; ++at) {
    workers.push_back(on.spawn([&work, at] { work(at); }));
  }
}

constexpr long locks = 2'000'000;

void lock_and_unlock() {
  std::mutex guards;
  for (long left = locks; left > 0; --left) {
    guards.lock();
    guards.unlock();
  }
}

cost uncontended_on_thread(unsigned) {
  return measure(nullptr, locks, [] { std::thread(lock_and_unlock).join(); });
}

cost uncontended_on_worker(unsigned servers) {
  group on = group::start({.servers = servers});
  return measure(&on, locks, [&on] { on.spawn([] { lock_and_unlock(); }).join(); });
}

// Eight workers, each of which lets the others run while it owns the mutex.
cost contended(unsigned servers) {
  constexpr int players = 8;
  constexpr long turns = 500;
  group on = group::start({.servers = servers});
  std::mutex guards;
  return measure(&on, players * turns, [&] {
    run_all(on, players, [&guards](int) {
      for (long left = turns; left > 0; --left) {
        const std::lock_guard lock(guards);
        umcg::yield();
      }
    });
  });
}

// Two hundred, each of which waits for a millisecond while it owns the mutex, once.
cost held_over_a_wait(unsigned servers) {
  constexpr int players = 200;
  group on = group::start({.servers = servers});
  std::mutex guards;
  return measure(&on, players, [&] {
    run_all(on, players, [&guards](int) {
      const std::lock_guard lock(guards);
      umcg::sleep_until(umcg::deadline::after(std::chrono::milliseconds(1)));
    });
  });
}

class ball {
 public:
  void play(int player, long strokes) {
    for (long left = strokes; left > 0; --left) {
      std::unique_lock lock(guards_);
      changed_.wait(lock, [&] { return turn_ == player; });
      turn_ = 1 - player;
      changed_.notify_one();
    }
  }

 private:
  std::mutex guards_;
  std::condition_variable changed_;
  int turn_ = 0;
};

constexpr long strokes = 4000;

cost ping_pong_of_workers(unsigned servers) {
  group on = group::start({.servers = servers});
  ball one;
  return measure(&on, 2 * strokes,
                 [&] { run_all(on, 2, [&one](int player) { one.play(player, strokes); }); });
}

cost ping_pong_of_threads(unsigned) {
  ball one;
  return measure(nullptr, 2 * strokes, [&one] {
    std::thread other([&one] { one.play(1, strokes); });
    one.play(0, strokes);
    other.join();
  });
}

struct contest {
  const char* name;
  cost (*run)(unsigned servers);
  std::vector<cost> results{};

  double median(double cost::*what) const {
    std::vector<double> all;
    for (const cost& each : results) all.push_back(each.*what);
    std::ranges::sort(all);
    return all[all.size() / 2];
  }
};

int run(int argc, char** argv) {
  int rounds = 5;
  unsigned servers = 1;
  CLI::App program("std::mutex and std::condition_variable between workers.");
  program.add_option("--rounds", rounds, "rounds of all measurements")->check(CLI::Range(1, 1000));
  program.add_option("--servers", servers, "of the group")->check(CLI::Range(1, 64));
  CLI11_PARSE(program, argc, argv);
  std::array all{
      contest{"std::mutex, uncontended, on a thread", uncontended_on_thread},
      contest{"std::mutex, uncontended, on a worker", uncontended_on_worker},
      contest{"8 workers, a yield inside", contended},
      contest{"200 workers, 1 ms inside", held_over_a_wait},
      contest{"condition variable, two workers", ping_pong_of_workers},
      contest{"condition variable, two threads", ping_pong_of_threads},
  };
  for (int round = 0; round < rounds; ++round) {
    for (contest& each : all) each.results.push_back(each.run(servers));
  }
  std::printf("%u server%s, %d rounds, medians\n", servers, servers == 1 ? "" : "s", rounds);
  std::printf("%-38s %12s %12s %14s\n", "each", "ns", "CPU ns", "hand-offs");
  for (const contest& each : all) {
    std::printf("%-38s %12.1f %12.1f %14.4f\n", each.name, each.median(&cost::time_ns),
                each.median(&cost::cpu_ns), each.median(&cost::handoffs));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  return run(argc, argv);
} catch (const std::exception& error) {
  std::fprintf(stderr, "posix_bench: %s\n", error.what());
  return 1;
}
