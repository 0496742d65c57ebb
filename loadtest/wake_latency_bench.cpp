// SPDX-License-Identifier: MIT
// How long a woken worker waits beside a server that has nothing to do. As many servers as workers,
// so whenever a worker can run there is a server for it: what passes between the wake and the
// worker's next instruction is what libumcg and the machine need to bring the two together. Beside
// it, alternately, the same game among plain threads on futexes: what the machine needs alone.
//
//   wake_latency_bench [--kernel NAME] [--seconds N] [--players N]
//
// The players wake each other at random times, wait for wakes with random deadlines, and, as
// workers, block their kernel threads for random times.

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <climits>

#include "umcg/libumcg.h"

namespace {

constexpr std::uint64_t ns_per_second = 1'000'000'000;

using samples = std::vector<std::uint32_t>;  // nanoseconds

struct record {
  samples wakes;    // from the wake to the woken one's next instruction
  samples returns;  // from the end of a block to the next instruction: workers only
  void append(const record& more) {
    wakes.insert(wakes.end(), more.wakes.begin(), more.wakes.end());
    returns.insert(returns.end(), more.returns.begin(), more.returns.end());
  }
};

struct alignas(64) player {
  std::atomic<umcg_tid> id{UMCG_NONE};
  std::atomic<std::uint32_t> word{0};      // of a plain thread: 1: woken
  std::atomic<bool> waits{false};          // and nobody has woken it yet
  std::atomic<std::uint64_t> woken_at{0};  // 0: not
  record seen;
};

// What the two games have in different ways.
struct way {
  std::function<void(player&, std::uint64_t until)> wait;
  std::function<void(player&)> wake;
  bool blocks;
};

void add(samples& to, std::uint64_t from) {
  to.push_back(
      static_cast<std::uint32_t>(std::min<std::uint64_t>(umcg_get_time_ns() - from, UINT32_MAX)));
}

void wait_and_measure(player& self, const way& how, std::uint64_t until) {
  self.waits.store(true);
  how.wait(self, until);
  if (self.waits.exchange(false)) return;  // the deadline, or a wake that came too late before
  std::uint64_t woken = self.woken_at.exchange(0);
  if (woken != 0) add(self.seen.wakes, woken);
}

void block_and_measure(player& self, std::uint32_t microseconds) {
  umcg_block_begin();
  const timespec duration{0, static_cast<long>(microseconds) * 1'000};
  ::nanosleep(&duration, nullptr);
  const std::uint64_t ended = umcg_get_time_ns();
  umcg_block_end();
  add(self.seen.returns, ended);
}

void wake_if_waiting(player& other, const way& how) {
  if (!other.waits.exchange(false)) return;
  other.woken_at.store(umcg_get_time_ns());
  how.wake(other);
}

void play(std::vector<player>& all, std::size_t at, const way& how, std::uint64_t end) {
  std::mt19937 random(static_cast<unsigned>(at) + 1);
  player& self = all[at];
  for (std::uint64_t now = umcg_get_time_ns(); now < end; now = umcg_get_time_ns()) {
    const auto number = [&random](std::uint32_t bound) {
      return static_cast<std::uint32_t>(random()) % bound;
    };
    const std::uint32_t choice = number(16);
    player& other = all[(at + 1 + random() % (all.size() - 1)) % all.size()];
    if (choice < 9) {
      wake_if_waiting(other, how);
      wait_and_measure(self, how, now + 1'000 + number(300'000));
    } else if (choice < 15 || !how.blocks) {
      wait_and_measure(self, how, now + 1'000 + number(300'000));
    } else {
      block_and_measure(self, number(100));
    }
  }
}

record collect(const std::vector<player>& all) {
  record sum;
  for (const player& each : all) sum.append(each.seen);
  return sum;
}

// Servers sleep without a deadline: only a wake brings one back. A worker with this tag ends the
// server that runs it.
constexpr std::intptr_t last_orders = 1;

void serve(umcg_t group) {
  umcg_register_server(group, 0);
  for (bool goes_on = true; goes_on;) {
    const umcg_tid worker = umcg_get_idle_worker(true);
    goes_on = umcg_get_task_tag(worker) != last_orders;
    umcg_run_worker(worker);
  }
  umcg_unregister_task();
}

void join_all(std::vector<std::thread>& threads) {
  for (auto& each : threads) each.join();
}

record play_workers(std::size_t players, std::uint64_t end) {
  const way how{[](player&, std::uint64_t until) { umcg_wait(until); },
                [](player& other) { umcg_wake(other.id.load(), false); }, true};
  const umcg_t group = umcg_create_group(0);
  std::vector<player> all(players);
  std::vector<std::thread> servers;
  std::vector<std::thread> workers;
  for (std::size_t at = 0; at < players; ++at) {
    servers.emplace_back(serve, group);
    workers.emplace_back([&, at] {
      umcg_register_worker(group, 0);
      all[at].id.store(umcg_get_utid());
      play(all, at, how, end);
      umcg_unregister_task();
    });
  }
  join_all(workers);
  std::vector<std::thread> last;
  for (std::size_t at = 0; at < players; ++at) {
    last.emplace_back([group] {
      umcg_register_worker(group, last_orders);
      umcg_unregister_task();
    });
  }
  join_all(last);
  join_all(servers);
  umcg_destroy_group(group);
  return collect(all);
}

void futex_wait(player& self, std::uint64_t until) {
  while (self.word.exchange(0) == 0) {
    if (umcg_get_time_ns() >= until) return;
    const timespec when{static_cast<time_t>(until / ns_per_second),
                        static_cast<long>(until % ns_per_second)};
    ::syscall(SYS_futex, &self.word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0, &when, nullptr,
              FUTEX_BITSET_MATCH_ANY);
  }
}

void futex_wake(player& other) {
  other.word.store(1);
  ::syscall(SYS_futex, &other.word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

record play_threads(std::size_t players, std::uint64_t end) {
  const way how{futex_wait, futex_wake, false};
  std::vector<player> all(players);
  std::vector<std::thread> threads;
  for (std::size_t at = 0; at < players; ++at) {
    threads.emplace_back([&all, &how, at, end] { play(all, at, how, end); });
  }
  join_all(threads);
  return collect(all);
}

double microseconds_at(const samples& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto at = static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1));
  return sorted[at] / 1e3;
}

void report(const char* name, samples& measured) {
  std::ranges::sort(measured);
  std::printf("%-44s %9zu  %8.1f  %8.1f  %8.1f  %8.1f\n", name, measured.size(),
              microseconds_at(measured, 0.5), microseconds_at(measured, 0.99),
              microseconds_at(measured, 0.9999), microseconds_at(measured, 1));
}

int run(int argc, char** argv) {
  std::string half = "auto";
  unsigned seconds = 60;
  std::size_t players = std::max(2U, std::thread::hardware_concurrency());
  CLI::App program("How long a woken worker waits beside a server that has nothing to do.");
  program.add_option("--kernel", half, "kernel half: usermode, futex or auto");
  program.add_option("--seconds", seconds, "of each of the two games (60)")
      ->check(CLI::Range(1, 3600));
  program
      .add_option("--players", players, "workers, servers, and threads of the other game (CPUs)")
      ->check(CLI::Range(2, 64));
  CLI11_PARSE(program, argc, argv);
  if (umcg_use_kernel_half(half.c_str()) != 0 || !umcg_enabled()) {
    std::fprintf(stderr, "wake_latency_bench: half %s does not work here\n", half.c_str());
    return 77;
  }
  constexpr std::uint64_t turns = 10;
  const std::uint64_t slice = seconds * ns_per_second / turns;
  record workers;
  record threads;
  for (std::uint64_t turn = 0; turn < turns; ++turn) {
    workers.append(play_workers(players, umcg_get_time_ns() + slice));
    threads.append(play_threads(players, umcg_get_time_ns() + slice));
  }
  std::printf("%s; %zu players, %u s each, alternately; microseconds\n", umcg_kernel_half(),
              players, seconds);
  std::printf("%-44s %9s  %8s  %8s  %8s  %8s\n", "", "count", "p50", "p99", "p99.99", "max");
  report("worker: wake to run", workers.wakes);
  report("worker: end of a block to run", workers.returns);
  report("thread on a futex: wake to run", threads.wakes);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "wake_latency_bench: %s\n", problem.what());
    return 1;
  }
}
