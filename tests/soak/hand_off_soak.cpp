// SPDX-License-Identifier: MIT

// Workers that stall at random - in raw system calls, in a mutex of the C library, in computing, in
// blocking regions - and wait for each other in between, until there have been so many hand-offs.
// Nothing is lost: each worker keeps what is its thread's own, all of them end, and the carriers
// that were made for them end too.
//
//   hand_off_soak [--hand-offs N] [--seconds S] [--servers N] [--seed N]
//
// ends after N hand-offs and S seconds, whichever is later.
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "kernel/usermode/spares.hpp"
#include "umcg/blocking_region.hpp"
#include "umcg/group.hpp"
#include "umcg/sync/semaphore.hpp"

namespace umcg {
namespace {

using clock_type = deadline::clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;

struct settings {
  std::uint64_t hand_offs = 2000;
  unsigned seconds = 0;
  unsigned servers = 1;
  unsigned seed = 1;
};

std::uint64_t hand_offs(const counters& of) {
  return std::accumulate(of.handoffs.begin(), of.handoffs.end(), std::uint64_t{0});
}

void stop_with(const char* what) {
  std::fprintf(stderr, "hand_off_soak: %s\n", what);
  std::abort();
}

thread_local std::string own_text;
thread_local int own_number = -1;

class soak {
 public:
  explicit soak(const settings& wanted) : wanted_(wanted) {}

  void run() {
    const auto least = clock_type::now() + std::chrono::seconds(wanted_.seconds);
    {
      group on = group::start({.servers = wanted_.servers});
      std::vector<worker> workers;
      for (int number = 0; number < count; ++number) {
        workers.push_back(on.spawn([this, number] { stall_again_and_again(number); }));
      }
      while (hand_offs(on.counters()) < wanted_.hand_offs || clock_type::now() < least) {
        sleep_until(deadline::after(milliseconds(10)));
      }
      over_ = true;
      for (worker& each : workers) each.join();
      report(on.counters());
    }
    wait_for_few_carriers();
  }

 private:
  static constexpr int count = 40;

  static void sleep_in_kernel(microseconds duration) {
    const timespec length{0, std::chrono::nanoseconds(duration).count()};
    const int before = errno;
    // A worker that has computed for long may be asked to yield just now.
    if (::nanosleep(&length, nullptr) != 0 && errno == EINTR) errno = before;
  }

  void stall_again_and_again(int number) {
    std::mt19937 random(wanted_.seed * 1000 + static_cast<unsigned>(number));
    own_number = number;
    own_text = std::string(40, static_cast<char>('a' + number % 26));
    const std::string text = own_text;
    while (!over_) {
      errno = number;
      stall(random);
      if (errno != number || own_number != number || own_text != text)
        stop_with("a worker is lost");
      ++turns_;
    }
  }

  void stall(std::mt19937& random) {
    const auto some = microseconds(random() % 400);
    switch (random() % 16) {
      case 0: {
        const std::lock_guard<std::mutex> guard(mutex_);
        sleep_until(deadline::after(some));
        break;
      }
      case 1: {
        const std::lock_guard<std::mutex> guard(mutex_);
        sleep_in_kernel(some);
        break;
      }
      case 2: {
        const blocking_region region;
        sleep_in_kernel(some);
        break;
      }
      case 3:
        compute_for(10 * some);
        break;
      case 4:
        semaphore_.acquire();
        sleep_until(deadline::after(some));
        semaphore_.release();
        break;
      case 5:
        sleep_until(deadline::after(some));
        break;
      case 6:
        yield();
        break;
      default:
        sleep_in_kernel(some);
        break;
    }
  }

  static void compute_for(microseconds duration) {
    const auto until = clock_type::now() + duration;
    while (clock_type::now() < until) {
    }
  }

  void report(const counters& all) const {
    std::printf("%llu turns of %d workers, hand-offs:",
                static_cast<unsigned long long>(turns_.load()), count);
    for (std::size_t cause = 0; cause < handoff_causes; ++cause) {
      std::printf(" %llu %s", static_cast<unsigned long long>(all.handoffs[cause]),
                  name_of(static_cast<handoff_cause>(cause)));
    }
    std::printf("\n");
  }

  static void wait_for_few_carriers() {
    constexpr int tries = 6000;
    for (int at = 0; at < tries; ++at) {
      const kernel::usermode::spare_figures now = kernel::usermode::look_at_spares();
      if (now.made <= kernel::usermode::ready_least) {
        std::printf("%u carriers are left\n", now.made);
        return;
      }
      sleep_until(deadline::after(milliseconds(10)));
    }
    stop_with("more carriers are left than are needed");
  }

  const settings wanted_;
  std::atomic<bool> over_{false};
  std::atomic<std::uint64_t> turns_{0};
  std::mutex mutex_;
  sync::semaphore semaphore_{4};
};

int run(int argc, char** argv) {
  settings wanted;
  CLI::App program("Workers that stall at random; see the file's head.");
  program.add_option("--hand-offs", wanted.hand_offs, "so many at least (2000)");
  program.add_option("--seconds", wanted.seconds, "for so long at least (0)");
  program.add_option("--servers", wanted.servers, "(1)")->check(CLI::Range(1, 64));
  program.add_option("--seed", wanted.seed, "of what the workers do (1)");
  CLI11_PARSE(program, argc, argv);
  {
    const group probe = group::start({.servers = 1});
    if (probe.description().find("doorbell") == std::string::npos) {
      std::printf("%s\n", probe.description().c_str());
      return 77;
    }
  }
  soak(wanted).run();
  return 0;
}

}  // namespace
}  // namespace umcg

int main(int argc, char** argv) {
  try {
    return umcg::run(argc, argv);
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "hand_off_soak: %s\n", problem.what());
    return 1;
  }
}
