// SPDX-License-Identifier: MIT
// What it costs to lock, to hand a value over and to wait for each other with umcg::sync, between
// workers of one server and between threads, beside what the C and C++ libraries offer threads; and
// what the scopes around a wait add to it.
//
// "Channel, to a waiting worker" is one way of a value between two workers who each wait for the
// other's: send(), the switch, and the end of receive(). A stream is what one value of many costs,
// with as many waits as it takes.
//
//   sync_bench [--rounds N]

#include <semaphore.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "umcg/cancellation.hpp"
#include "umcg/deadline_scope.hpp"
#include "umcg/group.hpp"
#include "umcg/libumcg.h"
#include "umcg/sync.hpp"
#include "umcg/task_group.hpp"

namespace {

namespace sync = umcg::sync;

// One after the other: what a player does, and how long it took.
struct stopwatch {
  std::uint64_t begun = umcg_get_time_ns();
  double each(long count) const {
    return static_cast<double>(umcg_get_time_ns() - begun) / static_cast<double>(count);
  }
};

void on_thread(const std::function<void()>& play) { std::thread(play).join(); }

void on_worker(const std::function<void()>& play) {
  umcg::group::start({.servers = 1}).spawn(play).join();
}

void on_two_threads(const std::function<void()>& first, const std::function<void()>& second) {
  std::thread other(second);
  first();
  other.join();
}

void on_two_workers(const std::function<void()>& first, const std::function<void()>& second) {
  umcg::group on = umcg::group::start({.servers = 1});
  umcg::worker one = on.spawn(first);
  umcg::worker other = on.spawn(second);
}

using alone = void (*)(const std::function<void()>&);
using together = void (*)(const std::function<void()>&, const std::function<void()>&);

// Nanoseconds for lock and unlock of a mutex that nobody else wants.
template <class Mutex>
double lock_and_unlock(alone on, long count) {
  double each = 0;
  on([&each, count] {
    Mutex guards;
    const stopwatch watch;
    for (long left = count; left > 0; --left) {
      guards.lock();
      guards.unlock();
    }
    each = watch.each(count);
  });
  return each;
}

// Nanoseconds for one value from a sender to a receiver.
double hand_over(together on, std::size_t capacity, long count) {
  sync::channel<long> between(capacity);
  double each = 0;
  on(
      [&] {
        const stopwatch watch;
        for (long left = count; left > 0; --left) between.send(left);
        between.close();
        each = watch.each(count);
      },
      [&between] {
        for ([[maybe_unused]] const long value : between) {
        }
      });
  return each;
}

// Nanoseconds for one way of a ball between two. `give(player)` lets that one go on, which waits in
// `take(player)`.
template <class Give, class Take>
double ping_pong(together on, long count, Give give, Take take) {
  double each = 0;
  on(
      [&] {
        const stopwatch watch;
        for (long left = count / 2; left > 0; --left) {
          give(1);
          take(0);
        }
        each = watch.each(count);
      },
      [&] {
        for (long left = count / 2; left > 0; --left) {
          take(1);
          give(0);
        }
      });
  return each;
}

// One way of a value to one who waits for it.
double to_a_waiting_one(together on, long count) {
  std::array<sync::channel<long>, 2> ways{sync::channel<long>(1), sync::channel<long>(1)};
  return ping_pong(
      on, count, [&ways](std::size_t player) { ways.at(player).send(1); },
      [&ways](std::size_t player) { ways.at(player).receive(); });
}

double to_a_select(together on, long count) {
  std::array<sync::channel<long>, 2> ways{sync::channel<long>(1), sync::channel<long>(1)};
  sync::channel<long> silent(1);
  return ping_pong(
      on, count, [&ways](std::size_t player) { ways.at(player).send(1); },
      [&](std::size_t player) {
        std::optional<long> value;
        sync::select(receiving(value, silent), receiving(value, ways.at(player)));
      });
}

// What play() does, inside of scopes that never end it.
std::function<void()> in_scopes(std::function<void()> play) {
  return [does = std::move(play)] {
    const umcg::cancellation_source source;
    const umcg::cancellation_scope scope(source.token());
    const umcg::deadline_scope bounded(umcg::deadline::after(std::chrono::hours(1)));
    does();
  };
}

void on_two_workers_in_scopes(const std::function<void()>& first,
                              const std::function<void()>& second) {
  on_two_workers(in_scopes(first), in_scopes(second));
}

// Nanoseconds for a task group with one child, joined by a worker.
double task_groups(long count) {
  umcg::group on = umcg::group::start({.servers = 1});
  double each = 0;
  on.spawn([&] {
      const stopwatch watch;
      for (long left = count; left > 0; --left) {
        umcg::task_group parts;
        parts.spawn(on, [] {});
        parts.join();
      }
      each = watch.each(count);
    }).join();
  return each;
}

double semaphores(together on, long count) {
  std::array<sync::semaphore, 2> turns{sync::semaphore(0), sync::semaphore(0)};
  return ping_pong(
      on, count, [&turns](std::size_t player) { turns.at(player).release(); },
      [&turns](std::size_t player) { turns.at(player).acquire(); });
}

double posix_semaphores(long count) {
  std::array<sem_t, 2> turns{};
  for (sem_t& each : turns) ::sem_init(&each, 0, 0);
  const double each = ping_pong(
      on_two_threads, count, [&turns](std::size_t player) { ::sem_post(&turns.at(player)); },
      [&turns](std::size_t player) {
        while (::sem_wait(&turns.at(player)) != 0) {
        }
      });
  for (sem_t& turn : turns) ::sem_destroy(&turn);
  return each;
}

template <class Mutex, class Condition>
double conditions(together on, long count) {
  Mutex guards;
  Condition changed;
  std::size_t turn = 0;
  return ping_pong(
      on, count,
      [&](std::size_t player) {
        const std::lock_guard lock(guards);
        turn = player;
        changed.notify_one();
      },
      [&](std::size_t player) {
        std::unique_lock lock(guards);
        changed.wait(lock, [&] { return turn == player; });
      });
}

struct contest {
  std::string name;
  std::function<double()> run;
  std::vector<double> results{};
};

std::vector<contest> all_contests() {
  constexpr long locks = 2'000'000;
  constexpr long strokes = 100'000;
  constexpr long thread_strokes = 20'000;
  return {
      {"mutex, uncontended, on a worker",
       [] { return lock_and_unlock<sync::mutex>(on_worker, locks); }},
      {"mutex, uncontended, on a thread",
       [] { return lock_and_unlock<sync::mutex>(on_thread, locks); }},
      {"std::mutex, uncontended, on a worker",
       [] { return lock_and_unlock<std::mutex>(on_worker, locks); }},
      {"std::mutex, uncontended, on a thread",
       [] { return lock_and_unlock<std::mutex>(on_thread, locks); }},
      {"channel, to a waiting worker", [] { return to_a_waiting_one(on_two_workers, strokes); }},
      {"the same, in scopes", [] { return to_a_waiting_one(on_two_workers_in_scopes, strokes); }},
      {"the same, to a select over two channels",
       [] { return to_a_select(on_two_workers, strokes); }},
      {"channel, to a waiting thread",
       [] { return to_a_waiting_one(on_two_threads, thread_strokes); }},
      {"stream, 1 place, two workers", [] { return hand_over(on_two_workers, 1, strokes); }},
      {"stream, 64 places, two workers", [] { return hand_over(on_two_workers, 64, strokes); }},
      {"stream, 1 place, two threads", [] { return hand_over(on_two_threads, 1, thread_strokes); }},
      {"stream, 64 places, two threads",
       [] { return hand_over(on_two_threads, 64, thread_strokes); }},
      {"semaphores, two workers of a server", [] { return semaphores(on_two_workers, strokes); }},
      {"the same, in scopes", [] { return semaphores(on_two_workers_in_scopes, strokes); }},
      {"semaphores, two threads", [] { return semaphores(on_two_threads, thread_strokes); }},
      {"sem_t, two threads", [] { return posix_semaphores(thread_strokes); }},
      {"task group of one child, spawned and joined", [] { return task_groups(strokes); }},
      {"mutex and condition variable, two workers",
       [] { return conditions<sync::mutex, sync::condition_variable>(on_two_workers, strokes); }},
      {"mutex and condition variable, two threads",
       [] {
         return conditions<sync::mutex, sync::condition_variable>(on_two_threads, thread_strokes);
       }},
      {"std::mutex and its condition, two threads",
       [] {
         return conditions<std::mutex, std::condition_variable>(on_two_threads, thread_strokes);
       }},
  };
}

void report(const contest& done) {
  std::vector<double> sorted = done.results;
  std::sort(sorted.begin(), sorted.end());
  std::printf("%-45s %9.1f ns  (%.1f to %.1f)\n", done.name.c_str(), sorted[sorted.size() / 2],
              sorted.front(), sorted.back());
}

int run(int argc, char** argv) {
  int rounds = 7;
  CLI::App program("umcg::sync between workers and threads, beside what threads have.");
  program.add_option("--rounds", rounds, "rounds of all measurements")->check(CLI::Range(1, 1000));
  CLI11_PARSE(program, argc, argv);
  try {
    std::printf("%s; %d rounds, median (least to most)\n",
                umcg::group::start({.servers = 1}).description().c_str(), rounds);
  } catch (const std::system_error& problem) {
    std::fprintf(stderr, "sync_bench: %s\n", problem.what());
    return 77;
  }
  std::vector<contest> contests = all_contests();
  for (int round = 0; round < rounds; ++round) {
    for (contest& each : contests) each.results.push_back(each.run());
  }
  for (const contest& each : contests) report(each);
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  return run(argc, argv);
} catch (const std::exception& error) {
  std::fprintf(stderr, "sync_bench: %s\n", error.what());
  return 1;
}
