// SPDX-License-Identifier: MIT
// What it costs to hand over to another thread and get control back: two tasks of libumcg that wake
// and wait, or swap, beside what a system offers without libumcg. One stroke is one way.
//
//   ping_pong_bench [--kernel NAME] [--rounds N]

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#ifdef UMCG_BENCH_BOOST
#include <boost/context/fiber.hpp>
#endif

#include "umcg/libumcg.h"

namespace {

struct sample {
  double elapsed_ns = 0;  // of a stroke
  double cpu_ns = 0;      // of the whole process, for a stroke
};

// How far apart the two players are.
enum class cpus { one, two };

void stay_on(int cpu) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(cpu, &only);
  ::sched_setaffinity(0, sizeof only, &only);
}

int cpu_of(int player, cpus spread) { return spread == cpus::two ? player : 0; }

std::uint64_t cpu_time_ns() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<std::uint64_t>(used.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(used.tv_nsec);
}

template <class Play>
sample time_of(long strokes, Play play) {
  const std::uint64_t cpu_before = cpu_time_ns();
  const std::uint64_t before = umcg_get_time_ns();
  play();
  const auto spent = static_cast<double>(umcg_get_time_ns() - before);
  const auto used = static_cast<double>(cpu_time_ns() - cpu_before);
  return {spent / static_cast<double>(strokes), used / static_cast<double>(strokes)};
}

// --- tasks of libumcg ---

using pass_function = void (*)(umcg_tid other);

void wake_and_wait(umcg_tid other) {
  umcg_wake(other, true);
  umcg_wait(0);
}

void swap(umcg_tid other) { umcg_swap(other, 0); }

struct match {
  pass_function pass;
  long strokes;
  std::array<std::atomic<umcg_tid>, 2> players{};
  std::atomic<bool> is_over{false};
  sample result;

  void serve_first() {
    players[0].store(umcg_get_utid());
    while ((umcg_get_task_state(players[1].load()) & UMCG_TF_WAITING) == 0) {
      umcg_wait(umcg_get_time_ns() + 1'000'000);
    }
    const umcg_tid other = players[1].load();
    result = time_of(strokes, [this, other] {
      for (long left = strokes / 2; left > 0; --left) pass(other);
    });
    is_over.store(true);
    umcg_wake(other, false);
  }

  void return_balls() {
    players[1].store(umcg_get_utid());
    umcg_wait(0);
    while (!is_over.load()) pass(players[0].load());
  }

  void play(int player) { player == 0 ? serve_first() : return_balls(); }
};

void as_threads(match& played, cpus spread, const std::function<void()>& enter) {
  std::vector<std::thread> threads;
  for (const int player : {0, 1}) {
    threads.emplace_back([&, player] {
      stay_on(cpu_of(player, spread));
      enter();
      played.play(player);
      umcg_unregister_task();
    });
  }
  for (auto& each : threads) each.join();
}

void as_basic_tasks(match& played, cpus spread) {
  as_threads(played, spread, [] { umcg_register_basic_task(0); });
}

void as_servers(match& played, cpus spread) {
  const umcg_t group = umcg_create_group(0);
  as_threads(played, spread, [group] { umcg_register_server(group, 0); });
  umcg_destroy_group(group);
}

// One server on one CPU runs both workers, or two servers one each.
void as_workers(match& played, cpus spread) {
  const umcg_t group = umcg_create_group(0);
  std::atomic<int> left{2};
  std::vector<std::thread> threads;
  for (const int player : {0, 1}) {
    threads.emplace_back([&, player] {
      umcg_register_worker(group, 0);
      played.play(player);
      umcg_unregister_task();
    });
  }
  for (int server = 0; server < (spread == cpus::two ? 2 : 1); ++server) {
    threads.emplace_back([&, server] {
      stay_on(server);
      umcg_register_server(group, 0);
      while (left.load() > 0) {
        const umcg_tid worker = umcg_get_idle_worker_until(umcg_get_time_ns() + 20'000'000);
        if (worker != UMCG_NONE && umcg_run_worker(worker) == UMCG_NONE) left.fetch_sub(1);
      }
      umcg_unregister_task();
    });
  }
  for (auto& each : threads) each.join();
  umcg_destroy_group(group);
}

sample play(void (*as)(match&, cpus), pass_function pass, cpus spread, long strokes) {
  match played{.pass = pass, .strokes = strokes, .result = {}};
  as(played, spread);
  return played.result;
}

// The wakes alone: one worker wakes many that wait, all of one server.
sample wakes_of_waiting_workers(long rounds) {
  constexpr std::size_t sleepers = 64;
  const umcg_t group = umcg_create_group(0);
  std::array<std::atomic<umcg_tid>, sleepers> ids{};
  std::atomic<bool> is_over{false};
  std::vector<std::thread> threads;
  for (auto& id : ids) {
    threads.emplace_back([&] {
      umcg_register_worker(group, 0);
      id.store(umcg_get_utid());
      while (!is_over.load()) umcg_wait(0);
      umcg_unregister_task();
    });
  }
  sample total;
  threads.emplace_back([&] {
    umcg_register_worker(group, 0);
    // All of them wait whenever this one runs: it is the last in the list that its wait puts it in.
    const auto let_them_wait = [] { umcg_wait(umcg_get_time_ns() + 50'000); };
    while (std::ranges::any_of(ids, [](const auto& id) {
      return (umcg_get_task_state(id.load()) & UMCG_TF_WAITING) == 0;
    })) {
      let_them_wait();
    }
    for (long round = 0; round < rounds; ++round) {
      const sample each = time_of(sleepers, [&ids] {
        for (const auto& id : ids) umcg_wake(id.load(), true);
      });
      total.elapsed_ns += each.elapsed_ns / static_cast<double>(rounds);
      total.cpu_ns += each.cpu_ns / static_cast<double>(rounds);
      let_them_wait();
    }
    is_over.store(true);
    for (const auto& id : ids) umcg_wake(id.load(), true);
    umcg_unregister_task();
  });
  stay_on(0);
  umcg_register_server(group, 0);
  for (std::size_t left = sleepers + 1; left > 0;) {
    if (umcg_run_worker(umcg_get_idle_worker(true)) == UMCG_NONE) --left;
  }
  umcg_unregister_task();
  for (auto& each : threads) each.join();
  umcg_destroy_group(group);
  return total;
}

// --- without libumcg ---

// Two threads; `give` lets the other go on and `take` awaits the turn.
sample play_threads(cpus spread, long strokes, const std::function<void(int)>& give,
                    const std::function<void(int)>& take) {
  std::thread second([&] {
    stay_on(cpu_of(1, spread));
    for (long left = strokes / 2; left > 0; --left) {
      take(1);
      give(0);
    }
  });
  sample result;
  std::thread first([&] {
    stay_on(cpu_of(0, spread));
    result = time_of(strokes, [&] {
      for (long left = strokes / 2; left > 0; --left) {
        give(1);
        take(0);
      }
    });
  });
  first.join();
  second.join();
  return result;
}

sample futexes(cpus spread, long strokes) {
  std::array<std::atomic<std::uint32_t>, 2> turns{};
  return play_threads(
      spread, strokes,
      [&turns](int player) {
        auto& turn = turns[static_cast<std::size_t>(player)];
        turn.store(1);
        ::syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
      },
      [&turns](int player) {
        auto& turn = turns[static_cast<std::size_t>(player)];
        while (turn.exchange(0) == 0) {
          ::syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
        }
      });
}

sample pipes(cpus spread, long strokes) {
  std::array<std::array<int, 2>, 2> ends{};
  for (auto& each : ends) {
    if (::pipe(each.data()) != 0) return {};
  }
  const sample result = play_threads(
      spread, strokes,
      [&ends](int player) {
        [[maybe_unused]] const auto sent =
            ::write(ends[static_cast<std::size_t>(player)][1], "", 1);
      },
      [&ends](int player) {
        char got;
        [[maybe_unused]] const auto count =
            ::read(ends[static_cast<std::size_t>(player)][0], &got, 1);
      });
  for (const auto& each : ends) {
    for (const int end : each) ::close(end);
  }
  return result;
}

#ifdef UMCG_BENCH_BOOST
// Exchanges the registers and nothing else: no thread_local, no state that others could see.
sample boost_fibers(cpus /*spread*/, long strokes) {
  namespace context = boost::context;
  sample result;
  std::thread([&result, strokes] {
    stay_on(0);
    bool is_over = false;
    context::fiber other([&is_over](context::fiber&& back) {
      while (!is_over) back = std::move(back).resume();
      return std::move(back);
    });
    result = time_of(strokes, [&other, strokes] {
      for (long left = strokes / 2; left > 0; --left) other = std::move(other).resume();
    });
    is_over = true;
    other = std::move(other).resume();
  }).join();
  return result;
}
#endif

// --- all of them ---

struct contest {
  std::string name;
  std::function<sample()> run;
  std::vector<sample> samples{};
};

std::vector<contest> all_contests() {
  std::vector<contest> all;
  const struct {
    const char* name;
    void (*as)(match&, cpus);
    long strokes_one;
    long strokes_two;
  } kinds[] = {{"basic tasks", as_basic_tasks, 20'000, 20'000},
               {"servers", as_servers, 20'000, 20'000},
               {"workers", as_workers, 100'000, 20'000}};
  const struct {
    const char* name;
    pass_function pass;
  } ways[] = {{"wake + wait", wake_and_wait}, {"swap", swap}};
  for (const cpus spread : {cpus::one, cpus::two}) {
    const std::string where = spread == cpus::one ? ", one CPU" : ", two CPUs";
    for (const auto& kind : kinds) {
      const long strokes = spread == cpus::one ? kind.strokes_one : kind.strokes_two;
      for (const auto& way : ways) {
        all.push_back({std::string(kind.name) + ": " + way.name + where,
                       [=] { return play(kind.as, way.pass, spread, strokes); }});
      }
    }
    all.push_back({"two threads on futexes" + where, [=] { return futexes(spread, 20'000); }});
    all.push_back({"two threads on pipes" + where, [=] { return pipes(spread, 20'000); }});
  }
  all.push_back(
      {"wake of a waiting worker, same server", [] { return wakes_of_waiting_workers(1000); }});
#ifdef UMCG_BENCH_BOOST
  all.push_back(
      {"Boost.Context, fiber::resume", [] { return boost_fibers(cpus::one, 2'000'000); }});
#endif
  return all;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<long>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void report(const contest& done) {
  std::vector<double> elapsed;
  std::vector<double> used;
  for (const sample& each : done.samples) {
    elapsed.push_back(each.elapsed_ns);
    used.push_back(each.cpu_ns);
  }
  const auto [least, most] = std::minmax_element(elapsed.begin(), elapsed.end());
  std::printf("%-40s %9.0f ns  (%.0f to %.0f), CPU %.0f ns\n", done.name.c_str(), median(elapsed),
              *least, *most, median(used));
}

int run(int argc, char** argv) {
  std::string half = "auto";
  int rounds = 7;
  CLI::App program("Ping-pong between two tasks, beside threads on futexes and pipes.");
  program.add_option("--kernel", half, "kernel half: usermode, futex, native or auto");
  program.add_option("--rounds", rounds, "rounds of all measurements")->check(CLI::Range(1, 1000));
  CLI11_PARSE(program, argc, argv);
  if (umcg_use_kernel_half(half.c_str()) != 0 || !umcg_enabled()) {
    std::fprintf(stderr, "ping_pong_bench: half %s does not work here\n", half.c_str());
    return 77;
  }
  std::printf("%s; one stroke, %d rounds, median (least to most)\n", umcg_kernel_half(), rounds);
  std::vector<contest> contests = all_contests();
  for (int round = 0; round < rounds; ++round) {
    for (contest& each : contests) each.samples.push_back(each.run());
  }
  for (const contest& each : contests) report(each);
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  return run(argc, argv);
} catch (const std::exception& error) {
  std::fprintf(stderr, "ping_pong_bench: %s\n", error.what());
  return 1;
}
