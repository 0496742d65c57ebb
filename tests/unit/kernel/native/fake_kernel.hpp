// SPDX-License-Identifier: MIT
#pragma once

// A kernel with the UMCG patches v0.9.1, as the contract's tables describe it, for threads of this
// process. It knows the shared struct by its offsets only. What it cannot see by itself, that a
// worker's thread sleeps or loses the CPU, the worker tells it. Where the real one would kill the
// process, and where a rule is broken that the real one does not check, it says so and aborts.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "kernel/native/system_calls.hpp"

namespace umcg::testing {

class fake_kernel final : public kernel::native::system_calls {
 public:
  struct thread;

  long ctl(std::uint32_t flags, kernel::native::kernel_task* self) noexcept override;
  long wait(std::uint32_t flags) noexcept override;
  void reschedule() noexcept override;

  // The calling thread sleeps in the kernel while `body` runs: a system call that blocks, or with
  // an empty body a page fault. Returns when it is back in user mode; on a worker, when a server
  // runs it. False: nobody noticed.
  bool sleep_while(const std::function<void()>& body);
  // The same without a body. For signal handlers: does nothing where the kernel would not have
  // been interrupted.
  void page_fault() noexcept;
  // The thread loses the CPU and gets it back. For signal handlers, too.
  void tick() noexcept;

  // What a kernel may do: it ends sleeps in umcg_wait without a reason, so that whoever may run
  // does, before it is woken; and so many workers meet a page fault as the first thing when they
  // return from umcg_wait.
  void wake_early(bool does) noexcept { wakes_early_.store(does); }
  void fault_on_return(int workers) noexcept { faults_due_.store(workers); }

  // How often a worker's sleep took its server away from it, and how often nobody was told.
  int blocks() const noexcept { return blocks_.load(); }
  int unseen() const noexcept { return unseen_.load(); }

 private:
  thread& here() noexcept;
  static thread* find(std::uint32_t name) noexcept;
  static void wake(thread& sleeper) noexcept;

  long register_thread(thread& self, std::uint32_t flags, std::byte* shared) noexcept;
  long wake_for(thread& self, std::uint32_t flags) noexcept;
  void idle_loop(thread& self) noexcept;
  void sleep_until_woken(thread& self, std::uint32_t before) const noexcept;
  bool go_to_sleep(thread& self) noexcept;
  void return_to_user(thread& self) noexcept;
  void check_running(thread& self) noexcept;
  void come_back(thread& self) noexcept;
  bool wake_server(thread& server) noexcept;
  void check_signals() noexcept;

  std::atomic<bool> wakes_early_{false};
  std::atomic<int> faults_due_{0};
  std::atomic<int> blocks_{0};
  std::atomic<int> unseen_{0};
};

}  // namespace umcg::testing
