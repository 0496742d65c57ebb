// SPDX-License-Identifier: MIT
// T14 and T18 to T23: clocks, signals, processes and the ends of threads.
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <thread>

#include "contract/harness.hpp"
#include "contract/settings.hpp"
#include "sanitizer.hpp"

namespace contract {
namespace {

using std::chrono::microseconds;

constexpr const char* has_no_processes = "a simulation has no signals and no processes";

// Whoever counts on the clock that can be set gets SIGSYS.
bool forbid_the_settable_clock() {
  const auto jump = [](std::uint16_t code, std::uint32_t value, std::uint8_t yes, std::uint8_t no) {
    return sock_filter{code, yes, no, value};
  };
  const auto load = [](std::size_t offset) {
    return sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)};
  };
  const auto answer = [](std::uint32_t action) {
    return sock_filter{BPF_RET | BPF_K, 0, 0, action};
  };
  std::array<sock_filter, 13> program{
      load(offsetof(seccomp_data, nr)),
      jump(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 0, 3),
      load(offsetof(seccomp_data, args) + 8),
      jump(BPF_JMP | BPF_JSET | BPF_K, FUTEX_CLOCK_REALTIME, 8, 0),
      answer(SECCOMP_RET_ALLOW),
      jump(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_nanosleep, 2, 0),
      jump(BPF_JMP | BPF_JEQ | BPF_K, SYS_timerfd_create, 1, 0),
      jump(BPF_JMP | BPF_JEQ | BPF_K, SYS_timer_create, 0, 2),
      load(offsetof(seccomp_data, args)),
      jump(BPF_JMP | BPF_JEQ | BPF_K, CLOCK_REALTIME, 2, 0),
      answer(SECCOMP_RET_ALLOW),
      answer(SECCOMP_RET_ALLOW),
      answer(SECCOMP_RET_KILL_PROCESS),
  };
  const sock_fprog filter{program.size(), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// What a child says when the machine, an emulator mostly, cannot do what the test needs.
constexpr int exit_cannot = 77;

bool child_could_not(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == exit_cannot; }

template <class Body>
int exit_status_of_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

TEST(operating_system, T14_TheSystemClockDoesNotMatter) {
  if (is_simulated()) GTEST_SKIP() << "a simulation has no other clock";
  if (umcg::testing::instrumented) GTEST_SKIP() << "sanitizers make system calls of their own";
  // A wait on CLOCK_REALTIME is what moves when the clock is set. None is ever made.
  const int status = exit_status_of_child([] {
    if (!forbid_the_settable_clock()) return exit_cannot;
    if (umcg_register_basic_task(0) == UMCG_NONE) return 4;
    const bool basic_waited = umcg_wait(after(milliseconds(2))) == -1;
    umcg_unregister_task();
    const umcg_t group = umcg_create_group(0);
    bool worker_waited = false;
    std::thread worker([&] {
      umcg_register_worker(group, 0);
      worker_waited = umcg_wait(after(milliseconds(2))) == -1;
      umcg_unregister_task();
    });
    umcg_register_server(group, 0);
    const umcg_tid id = umcg_get_idle_worker(true);
    umcg_run_worker(id);
    const bool came = umcg_get_idle_worker(true) == id;
    umcg_run_worker(id);
    const bool timed_out = umcg_get_idle_worker_until(after(milliseconds(2))) == UMCG_NONE;
    umcg_unregister_task();
    worker.join();
    return basic_waited && worker_waited && came && timed_out ? 0 : 5;
  });
  if (child_could_not(status)) GTEST_SKIP() << "no filter of system calls can be installed here";
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  // And the filter does what it is for.
  const int caught = exit_status_of_child([] {
    if (!forbid_the_settable_clock()) return 3;
    const timespec when{0, 1};
    ::syscall(SYS_clock_nanosleep, CLOCK_REALTIME, 0, &when, nullptr);
    return 0;
  });
  EXPECT_TRUE(WIFSIGNALED(caught) && WTERMSIG(caught) == SIGSYS) << caught;
}

TEST(operating_system, T18_ABusyWorkerIsPreempted) {
  if (is_simulated()) GTEST_SKIP() << has_no_processes;
  group group(UMCG_GROUP_ENABLE_PREEMPTION);
  std::atomic<bool> stop{false};
  std::atomic<int> turns{0};
  worker one(group, [&] {
    while (!stop.load()) turns.fetch_add(1);
  });
  const registration self(umcg_register_server(group, 0));
  umcg_tid idle = umcg_get_idle_worker(true);
  const int preemptions = umcg::testing::thread_sanitizer ? 1 : 50;
  for (int round = 0; round < preemptions; ++round) {
    const int before = turns.load();
    thread preempter([&] {
      while (turns.load() == before) pause();
      EXPECT_EQ(umcg_preempt_worker(one.id()), 0);
    });
    umcg_stop why = UMCG_STOP_NONE;
    EXPECT_EQ(umcg_run_worker_why(idle, &why), one.id());
    EXPECT_EQ(why, UMCG_STOP_PREEMPTED);
    EXPECT_TRUE(is_listed(one.id()));
    EXPECT_EQ(umcg_get_idle_worker(true), one.id());
    idle = one.id();
  }
  stop.store(true);
  EXPECT_EQ(umcg_run_worker(idle), UMCG_NONE);
}

TEST(operating_system, T19_PreemptionAgainstEverything) {
  if (is_simulated()) GTEST_SKIP() << has_no_processes;
  if (umcg::testing::thread_sanitizer && half_name() == "usermode") {
    GTEST_SKIP() << "ThreadSanitizer calls handlers with every signal blocked, on a carrier that "
                    "then goes on to the next worker: no second one can be preempted";
  }
  group group(UMCG_GROUP_ENABLE_PREEMPTION);
  std::atomic<int> left{4};
  std::atomic<int> preempted{0};
  std::array<std::atomic<umcg_tid>, 4> ids{};
  std::vector<std::unique_ptr<worker>> workers;
  for (std::size_t at = 0; at < ids.size(); ++at) {
    workers.push_back(std::make_unique<worker>(group, [&, at] {
      ids[at].store(umcg_get_utid());
      for (int round = rounds(4'000); round > 0 || preempted.load() == 0; --round) {
        const umcg_tid other = ids[random(4)].load();
        switch (random(6)) {
          case 0:
            umcg_wait(after(microseconds(random(30))));
            break;
          case 1:
            if (other != UMCG_NONE) umcg_wake(other, false);
            break;
          case 2:
            if (other != UMCG_NONE) umcg_swap(other, after(microseconds(random(30))));
            break;
          case 3:
            umcg_block_begin();
            umcg_block_end();
            break;
          default:
            delete new std::vector<int>(random(100));
            break;
        }
      }
      left.fetch_sub(1);
    }));
  }
  group.serve(2);
  while (left.load() > 0) {
    const umcg_tid victim = ids[random(4)].load();
    if (victim == UMCG_NONE) continue;
    const int result = umcg_preempt_worker(victim);
    EXPECT_TRUE(result == 0 || errno == EAGAIN || errno == ESRCH) << errno;
    if (result == 0) preempted.fetch_add(1);
    pause();
  }
  for (auto& each : workers) each->join();
}

std::atomic<int> handled{0};
void count_signal(int /*signal*/) { handled.fetch_add(1); }

TEST(operating_system, T20_ASignalRunsItsHandlerOnceAndTheWaitGoesOn) {
  if (is_simulated()) GTEST_SKIP() << has_no_processes;
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = count_signal;
  ::sigaction(SIGUSR2, &action, &before);
  handled.store(0);
  std::atomic<pthread_t> target{};
  const auto wait_with_a_deadline = [&target] {
    target.store(::pthread_self());
    const std::uint64_t end = after(milliseconds(60));
    EXPECT_FAILS(umcg_wait(end), ETIMEDOUT);
    EXPECT_GE(umcg_get_time_ns(), end);
  };
  const auto signal_while_waiting = [&target](umcg_tid id) {
    EXPECT_TRUE(eventually([id] { return waits(id); }));
    EXPECT_EQ(::pthread_kill(target.load(), SIGUSR2), 0);
  };
  {
    basic one(wait_with_a_deadline);
    signal_while_waiting(one.id());
  }
  EXPECT_EQ(handled.load(), 1);
  group group;
  {
    server one(group, wait_with_a_deadline);
    signal_while_waiting(one.id());
  }
  EXPECT_EQ(handled.load(), 2);
  group.serve(1);
  {
    worker one(group, wait_with_a_deadline);
    signal_while_waiting(one.id());
    // A worker whose kernel thread is its home meanwhile gets it when it is there again.
    EXPECT_TRUE(half_name() != "usermode" || handled.load() == 2);
  }
  EXPECT_EQ(handled.load(), 3);
  ::sigaction(SIGUSR2, &before, nullptr);
}

// The C library waits for every thread to have taken its signal.
TEST(operating_system, T20_TheUserIdIsSetOnAllThreads) {
  if (is_simulated()) GTEST_SKIP() << has_no_processes;
  NOT_OVER("native", "a thread in umcg_wait takes no signal: it would be dropped");
  group group;
  group.serve(1);
  worker one(group, [] { EXPECT_EQ(umcg_wait(0), 0); });
  EXPECT_TRUE(eventually([&] { return waits(one.id()); }));
  EXPECT_EQ(::setuid(::getuid()), 0);
  EXPECT_EQ(umcg_wake(one.id(), false), 0);
}

TEST(operating_system, T21_AForkedChildIsUnregistered) {
  if (is_simulated()) GTEST_SKIP() << has_no_processes;
  group group;
  const registration self(umcg_register_server(group, 0));
  const int status = exit_status_of_child([] {
    if (umcg_unregister_task() != -1 || errno != EINVAL) return 2;
    if (umcg_register_basic_task(0) == UMCG_NONE) return 3;
    return umcg_unregister_task() == 0 ? 0 : 4;
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  worker one(group, [] {});
  run_until_gone(one);
}

TEST(operating_system, T22_ANewImageIsUnregistered) {
  if (is_simulated()) GTEST_SKIP() << has_no_processes;
  const registration self(umcg_register_basic_task(0));
  const int status = exit_status_of_child([] {
    ::execl("/proc/self/exe", "umcg-contract", "--is-registered", nullptr);
    return exit_cannot;
  });
  if (child_could_not(status)) GTEST_SKIP() << "this program cannot be started again here";
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(operating_system, T23_AThreadThatEndsGivesItsServerBack) {
  group group;
  std::vector<std::function<void()>> endings{[] {}};
  if (!is_simulated()) {
    endings.push_back([] { ::pthread_exit(nullptr); });
    endings.push_back([] {
      ::pthread_cancel(::pthread_self());
      ::pthread_testcancel();
    });
  }
  for (const auto& end : endings) {
    thread ending([&] {
      EXPECT_NE(umcg_register_worker(group, 0), UMCG_NONE);
      end();
    });
    const registration self(umcg_register_server(group, 0));
    umcg_stop why = UMCG_STOP_NONE;
    const umcg_tid idle = umcg_get_idle_worker(true);
    EXPECT_EQ(umcg_run_worker_why(idle, &why), UMCG_NONE);
    EXPECT_EQ(why, UMCG_STOP_EXITED);
    EXPECT_FAILS(umcg_wake(idle, false), ESRCH);
  }
}

}  // namespace
}  // namespace contract
