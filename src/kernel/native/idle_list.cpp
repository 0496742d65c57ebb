// SPDX-License-Identifier: MIT
#include "kernel/native/idle_list.hpp"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/futex.hpp"
#include "base/raw_syscall.hpp"
#include "kernel/native/signals_kept.hpp"

namespace umcg::kernel::native {

namespace {

// A node that is in the list while its pusher has not said yet what comes behind it.
constexpr std::uint64_t pending = 1;

std::uint64_t address_of(const std::atomic<std::uint64_t>& word) noexcept {
  return reinterpret_cast<std::uint64_t>(&word);
}

kernel_task& owner_of(std::uint64_t node) noexcept {
  return *reinterpret_cast<kernel_task*>(node - offsetof(kernel_task, idle_workers));
}

}  // namespace

std::error_code idle_list::open() noexcept {
  const pid_t here = ::getpid();
  for (pid_t opened = open_in_.load(); opened != here; opened = open_in_.load()) {
    if (opened == -here || !open_in_.compare_exchange_strong(opened, -here)) {
      base::give_way();
      continue;
    }
    head_.store(0);
    idle_server_.store(0);
    pthread_t thread;
    int failed;
    {
      const signals_kept not_by_that_thread;
      failed = ::pthread_create(&thread, nullptr, run, this);
    }
    open_in_.store(failed == 0 ? here : 0);
    if (failed != 0) return {failed, std::system_category()};
    ::pthread_setname_np(thread, "umcg-idle-list");
    ::pthread_detach(thread);
  }
  return {};
}

void idle_list::bind(kernel_task& worker) noexcept {
  worker.idle_workers.store(address_of(head_));
  worker.idle_server = reinterpret_cast<std::uint64_t>(&idle_server_);
}

void* idle_list::run(void* self) noexcept {
  static_cast<idle_list*>(self)->serve();
  return nullptr;
}

void idle_list::serve() noexcept {
  const signals_kept for_others;
  self_.state.begin(kernel_state::running);
  UMCG_ASSERT(calls_.ctl(register_thread, &self_) == 0);
  const auto name = static_cast<std::uint32_t>(base::raw_syscall(SYS_gettid));
  for (;;) {
    self_.state.step_aside();
    idle_server_.store(name);
    std::uint32_t expected = name;
    if (head_.load() != 0 && idle_server_.compare_exchange_strong(expected, 0)) {
      self_.state.step_in();
    }
    while (self_.state.place() == kernel_state::idle) calls_.wait(0);
    hand_on(take_all());
  }
}

// The list is last in, first out: returns it turned round, linked through the same words.
std::uint64_t idle_list::take_all() noexcept {
  std::uint64_t turned = 0;
  for (std::uint64_t node = head_.exchange(0); node != 0;) {
    std::atomic<std::uint64_t>& link = owner_of(node).idle_workers;
    while (link.load() == pending) base::give_way();
    const std::uint64_t older = link.exchange(turned);
    turned = node;
    node = older;
  }
  return turned;
}

void idle_list::hand_on(std::uint64_t node) noexcept {
  while (node != 0) {
    kernel_task& worker = owner_of(node);
    // Before it may run: it can come back at once.
    node = worker.idle_workers.exchange(address_of(head_));
    taken_(worker);
  }
}

}  // namespace umcg::kernel::native
