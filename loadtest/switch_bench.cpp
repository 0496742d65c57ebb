// SPDX-License-Identifier: MIT
// What it costs to stop one worker and run another: nanoseconds, the median of several rounds. Run
// on one CPU.
//
//   switch_bench [rounds]

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <climits>

#include "kernel/usermode/context.hpp"
#include "kernel/usermode/usermode_half.hpp"
#include "libumcg/membership.hpp"
#include "libumcg/scheduling.hpp"
#include "umcg/libumcg.h"

namespace {

namespace core = umcg::libumcg;
namespace usermode = umcg::kernel::usermode;

using clock_type = std::chrono::steady_clock;

double nanoseconds_each(clock_type::time_point begin, long count) {
  return std::chrono::duration<double, std::nano>(clock_type::now() - begin).count() /
         static_cast<double>(count);
}

struct rig {
  umcg_t group = umcg_create_group(0);
  std::atomic<bool> stop{false};
};

// --- the bare switch: two contexts that do nothing else ---

struct switch_pair {
  usermode::context bench;
  usermode::context partner;
  std::atomic<std::uint32_t> saved{0};
  usermode::switch_function switch_to;
};

// Workers mostly stop at the same place in the code, called from the same places, as those of
// connections do; then the processor has predicted the returns that follow the switch.
[[gnu::noinline]] void keep_switching(switch_pair& pair, usermode::context& from,
                                      const usermode::context& to, long count) {
  for (long left = count; left > 0; --left) pair.switch_to(&from, &to, nullptr);
}

// The partner never returns and touches no TLS: it may be continued with any thread pointer.
double bare_switch(usermode::switch_function switch_to, bool same_place, long count) {
  rig bench;
  umcg_register_server(bench.group, 0);  // this kernel thread is a carrier
  auto* pair = new switch_pair;          // the partner's thread refers to it for ever
  pair->switch_to = switch_to;
  pair->bench.thread_pointer = __builtin_thread_pointer();
  std::thread partner([pair, same_place] {
    pair->partner.thread_pointer = __builtin_thread_pointer();
    usermode::umcg_save_and_exit(&pair->partner, &pair->saved);
    if (same_place) keep_switching(*pair, pair->partner, pair->bench, LONG_MAX);
    for (;;) pair->switch_to(&pair->partner, &pair->bench, nullptr);
  });
  partner.detach();
  while (pair->saved.load() == 0) sched_yield();
  const auto begin = clock_type::now();
  if (same_place) {
    keep_switching(*pair, pair->bench, pair->partner, count);
  } else {
    for (long left = count; left > 0; --left) switch_to(&pair->bench, &pair->partner, nullptr);
  }
  const double each = nanoseconds_each(begin, 2 * count);
  umcg_unregister_task();
  umcg_destroy_group(bench.group);
  return each;
}

// --- through libumcg ---

// A server runs a worker that blocks; it is unblocked, taken and run again: the whole cycle of one
// blocking call.
double block_cycle(long count) {
  rig bench;
  std::thread worker([&bench] {
    umcg_register_worker(bench.group, 0);
    while (!bench.stop.load()) core::block(*core::current_task);
    umcg_unregister_task();
  });
  umcg_register_server(bench.group, 0);
  core::task& server = *core::current_task;
  core::task* taken = nullptr;
  while (taken == nullptr) taken = core::take_idle_worker(server);
  taken->state.run_held();
  core::run(server, *taken);
  const auto begin = clock_type::now();
  for (long at = 0; at < count; ++at) {
    taken->state.unblock();
    core::publish(*taken);
    core::task* next = core::take_idle_worker(server);
    next->state.run_held();
    core::run(server, *next);
  }
  const double each = nanoseconds_each(begin, count);
  bench.stop.store(true);
  taken->state.unblock();
  core::publish(*taken);
  umcg_run_worker(umcg_get_idle_worker(true));
  worker.join();
  umcg_unregister_task();
  umcg_destroy_group(bench.group);
  return each;
}

// Two workers of one server swap to each other; one way.
double swap_workers(long count) {
  rig bench;
  std::array<std::atomic<umcg_tid>, 2> ids{};
  double each = 0;
  std::thread first([&] {
    umcg_register_worker(bench.group, 0);
    ids[0].store(umcg_get_utid());
    while (ids[1].load() == UMCG_NONE) umcg_wait(umcg_get_time_ns() + 1'000'000);
    while (umcg_swap(ids[1].load(), 0) != 0) umcg_wait(umcg_get_time_ns() + 1'000'000);
    const auto begin = clock_type::now();
    for (long at = 0; at < count; ++at) umcg_swap(ids[1].load(), 0);
    each = nanoseconds_each(begin, 2 * count);
    bench.stop.store(true);
    umcg_wake(ids[1].load(), false);
    umcg_unregister_task();
  });
  std::thread second([&] {
    umcg_register_worker(bench.group, 0);
    ids[1].store(umcg_get_utid());
    umcg_wait(0);
    while (!bench.stop.load()) umcg_swap(ids[0].load(), 0);
    umcg_unregister_task();
  });
  umcg_register_server(bench.group, 0);
  for (int left = 2; left > 0;) {
    umcg_stop why = UMCG_STOP_NONE;
    umcg_run_worker_why(umcg_get_idle_worker(true), &why);
    if (why == UMCG_STOP_UNREGISTERED) --left;
  }
  umcg_unregister_task();
  first.join();
  second.join();
  umcg_destroy_group(bench.group);
  return each;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

void report(const char* what, int rounds, const std::function<double()>& measure) {
  std::vector<double> values;
  for (int round = 0; round < rounds; ++round) values.push_back(measure());
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  std::printf("%-58s %9.1f ns  (%.1f to %.1f)\n", what, median(values), *least, *most);
  std::fflush(stdout);
}

double system_call(long count) {
  const auto begin = clock_type::now();
  for (long at = 0; at < count; ++at) ::syscall(SYS_getppid);
  return nanoseconds_each(begin, count);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(std::atoi(argv[1]), 1) : 7;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  ::sched_setaffinity(0, sizeof one, &one);
  if (!umcg_enabled()) {
    std::printf("%s\n", umcg_kernel_half());
    return 77;
  }
  std::printf("%s; %d rounds, median (least to most)\n", umcg_kernel_half(), rounds);
  report("a system call (getppid), for scale", rounds, [] { return system_call(200'000); });
  for (const bool same_place : {true, false}) {
    const std::string where = same_place ? "same place" : "different places";
    report(("context switch, one way, " + where).c_str(), rounds,
           [=] { return bare_switch(usermode::switch_context, same_place, 200'000); });
    report(("context switch by instruction, one way, " + where).c_str(), rounds, [=] {
      return bare_switch(usermode::umcg_switch_by_instruction, same_place, 2'000'000);
    });
  }
  report("block, unblock, take, run: a worker's whole cycle", rounds,
         [] { return block_cycle(200'000); });
  report("swap between two workers, one way", rounds, [] { return swap_workers(200'000); });
  return 0;
}
