// SPDX-License-Identifier: MIT
#include "hand_off_mechanisms.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <thread>

#include "umcg/blocking_region.hpp"
#include "umcg/group.hpp"

namespace {

using umcg::deadline;
using umcg::group;
using umcg::worker;
using clock_type = deadline::clock;
using microseconds = std::chrono::duration<double, std::micro>;
using namespace std::chrono_literals;

double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// Pipe whose writer answers a while after a reader has come.
class slow_pipe {
 public:
  explicit slow_pipe(std::chrono::microseconds answers_after) : answers_after_(answers_after) {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    answering_ = std::thread([this] { answer(); });
  }
  ~slow_pipe() {
    over_ = true;
    answering_.join();
    for (const int end : ends_) ::close(end);
  }
  slow_pipe(const slow_pipe&) = delete;
  slow_pipe& operator=(const slow_pipe&) = delete;

  // Blocks the kernel thread.
  void read() {
    char byte;
    wanted_ = true;
    if (::read(ends_[0], &byte, 1) != 1) throw std::runtime_error("read failed");
  }

 private:
  void answer() {
    while (!over_) {
      const bool somebody_waits = wanted_.exchange(false);
      umcg::sleep_until(deadline::after(answers_after_));
      if (somebody_waits && ::write(ends_[1], "x", 1) != 1) return;
    }
  }

  const std::chrono::microseconds answers_after_;
  std::array<int, 2> ends_{};
  std::atomic<bool> wanted_{false};
  std::atomic<bool> over_{false};
  std::thread answering_;
};

// Other processes that want every CPU for themselves.
class burners {
 public:
  explicit burners(bool wanted) {
    const auto cpus = static_cast<int>(wanted ? std::thread::hardware_concurrency() : 0);
    for (int cpu = 0; cpu < cpus; ++cpu) {
      const pid_t child = ::fork();
      if (child == 0) burn(cpu);
      children_.push_back(child);
    }
  }
  ~burners() {
    for (const pid_t child : children_) ::kill(child, SIGKILL);
    for (const pid_t child : children_) ::waitpid(child, nullptr, 0);
  }
  burners(const burners&) = delete;
  burners& operator=(const burners&) = delete;

 private:
  [[noreturn]] static void burn(int cpu) {
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(cpu, &only);
    ::sched_setaffinity(0, sizeof only, &only);
    for (;;) {
    }
  }
  std::vector<pid_t> children_;
};

struct way {
  const char* name;
  const char* watch;
  bool in_region;
  bool starved;
  std::chrono::microseconds block;  // how long, about
};

constexpr std::array ways = {
    way{"blocking region", "auto", true, false, 8ms},
    way{"blocking region, often", "auto", true, false, 300us},
    way{"doorbell", "auto", false, false, 8ms},
    way{"doorbell, often", "auto", false, false, 300us},
    way{"monitor", "monitor", false, false, 8ms},
    way{"doorbell, CPUs wanted by others", "auto", false, true, 8ms},
    way{"monitor, CPUs wanted by others", "monitor", false, true, 8ms},
};

// One worker blocks again and again; four others always can run, and the next one to do so says how
// long that was after the block.
samples measure_once(const way& how, int rounds) {
  const burners others(how.starved);
  slow_pipe pipe(how.block);
  group on = group::start({.servers = 1, .hand_off = {.watch = how.watch}});
  std::atomic<bool> over{false};
  std::atomic<std::int64_t> blocked_at{0};
  samples found;
  std::vector<worker> crowd;
  for (int at = 0; at < 4; ++at) {
    crowd.push_back(on.spawn([&] {
      while (!over) {
        const std::int64_t since = blocked_at.exchange(0);
        if (since != 0) {
          const std::chrono::nanoseconds now = clock_type::now().time_since_epoch();
          found.us.push_back(microseconds(now - std::chrono::nanoseconds(since)).count());
        }
        compute_a_little();
        umcg::yield();
      }
    }));
  }
  crowd.push_back(on.spawn([&] {
    for (int round = 0; round < rounds; ++round) {
      for (int turn = 0; turn < 2000; ++turn) umcg::yield();
      blocked_at = std::chrono::nanoseconds(clock_type::now().time_since_epoch()).count();
      if (how.in_region) {
        const umcg::blocking_region region;
        pipe.read();
      } else {
        pipe.read();
      }
      blocked_at = 0;
    }
    over = true;
  }));
  for (worker& each : crowd) each.join();
  return found;
}

void bind_to_first_cpu() {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(0, &only);
  ::sched_setaffinity(0, sizeof only, &only);
}

// For comparison, what the kernel alone takes: a thread that has computed for so long wakes another
// one on its CPU, and sleeps. Of all ways above, a region does once what this does, the doorbell
// twice.
samples measure_threads(std::chrono::microseconds computes_for, int rounds) {
  samples found;
  std::atomic<int> asked{0};
  std::atomic<int> answered{0};
  clock_type::time_point since;
  std::thread other([&] {
    bind_to_first_cpu();
    for (int round = 0; round < rounds; ++round) {
      asked.wait(round);
      found.us.push_back(microseconds(clock_type::now() - since).count());
      answered.store(round + 1);
      answered.notify_one();
    }
  });
  std::thread([&] {
    bind_to_first_cpu();
    for (int round = 0; round < rounds; ++round) {
      const auto until = clock_type::now() + computes_for;
      while (clock_type::now() < until) compute_a_little();
      since = clock_type::now();
      asked.store(round + 1);
      asked.notify_one();
      answered.wait(round);
    }
  }).join();
  other.join();
  return found;
}

void print_delays(const char* name, samples& found) {
  std::printf("%-34s %8zu %8.1f %8.1f %8.1f %8.1f\n", name, found.us.size(), found.at(0.5),
              found.at(0.9), found.at(0.99), found.at(1));
}

// CPU time of the process for each block, with the pipe's own thread.
double cpu_us_per_block(const way& how, int rounds) {
  slow_pipe pipe(300us);
  group on = group::start({.servers = 1, .hand_off = {.watch = how.watch}});
  const double before = cpu_seconds();
  on.spawn([&] {
      for (int round = 0; round < rounds; ++round) {
        std::optional<umcg::blocking_region> region;
        if (how.in_region) region.emplace();
        pipe.read();
        region.reset();
        umcg::yield();
      }
    }).join();
  return (cpu_seconds() - before) * 1e6 / rounds;
}

// CPU time of the process for each switch of workers that never block.
double cpu_ns_per_switch(const char* watch) {
  group on = group::start({.servers = 1, .hand_off = {.watch = watch}});
  const deadline until = deadline::after(200ms);
  std::array<std::uint64_t, 4> switches{};
  std::vector<worker> crowd;
  const double before = cpu_seconds();
  for (std::uint64_t& count : switches) {
    crowd.push_back(on.spawn([&count, until] {
      for (; count % 64 != 0 || !until.passed(); ++count) umcg::yield();
    }));
  }
  for (worker& each : crowd) each.join();
  const double used = cpu_seconds() - before;
  return used * 1e9 / static_cast<double>(std::reduce(switches.begin(), switches.end()));
}

}  // namespace

void print_mechanisms(int rounds) {
  std::printf("from a block to the next worker, 1 server, 4 workers that can run; us\n");
  std::printf("%-34s %8s %8s %8s %8s %8s\n", "", "count", "p50", "p90", "p99", "max");
  for (const way& how : ways) {
    samples found = measure_once(how, how.starved ? rounds / 4 : rounds);
    print_delays(how.name, found);
  }
  samples seldom = measure_threads(10ms, rounds);
  print_delays("two threads, a futex", seldom);
  samples often = measure_threads(1500us, rounds);
  print_delays("two threads, a futex, often", often);
}

// One after the other, so that what disturbs one disturbs all.
void print_costs(int rounds) {
  constexpr std::array compared = {
      way{"nobody watches", "off", false, false, 300us},
      way{"blocking region", "auto", true, false, 300us},
      way{"doorbell", "auto", false, false, 300us},
      way{"monitor", "monitor", false, false, 300us},
  };
  constexpr int turns = 9;
  std::array<samples, compared.size()> blocks;
  std::array<samples, compared.size()> switches;
  for (int turn = 0; turn < turns; ++turn) {
    for (std::size_t at = 0; at < compared.size(); ++at) {
      blocks[at].us.push_back(cpu_us_per_block(compared[at], rounds));
      if (!compared[at].in_region) switches[at].us.push_back(cpu_ns_per_switch(compared[at].watch));
    }
  }
  std::printf("what it costs, medians of %d turns of all\n", turns);
  std::printf("%-34s %20s %30s\n", "", "CPU us for a block", "CPU ns for a switch, no block");
  for (std::size_t at = 0; at < compared.size(); ++at) {
    std::printf("%-34s %20.1f", compared[at].name, blocks[at].at(0.5));
    if (compared[at].in_region) {
      std::printf("\n");
    } else {
      std::printf(" %30.1f\n", switches[at].at(0.5));
    }
  }
}
