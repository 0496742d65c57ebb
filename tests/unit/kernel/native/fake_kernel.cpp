// SPDX-License-Identifier: MIT
#include "unit/kernel/native/fake_kernel.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/futex.hpp"
#include "base/raw_syscall.hpp"
#include "base/short_lock.hpp"

namespace umcg::testing {

namespace {

constexpr std::uint64_t none = 0;
constexpr std::uint64_t running = 1;
constexpr std::uint64_t idle = 2;
constexpr std::uint64_t blocked = 3;
constexpr std::uint64_t locked = 0x40;
constexpr std::uint64_t full_mask = 0x3ffff;
constexpr std::uint64_t stamp = full_mask + 1;
constexpr std::uint64_t pending = 1;
constexpr std::uint64_t every_signal = ~std::uint64_t{0};

[[noreturn]] void breach(const char* rule) noexcept {
  std::fprintf(stderr, "fake kernel: %s\n", rule);
  std::abort();
}

std::uint64_t set_signals(std::uint64_t mask) noexcept {
  std::uint64_t before = 0;
  base::raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, &before, sizeof mask);
  return before;
}

template <class Word>
std::atomic<Word>& word_at(std::uint64_t address) noexcept {
  return *reinterpret_cast<std::atomic<Word>*>(address);
}

}  // namespace

// What the kernel keeps for a thread. Entries are used again, as thread ids are.
struct fake_kernel::thread {
  std::atomic<std::uint32_t> name{0};
  std::atomic<std::byte*> shared{nullptr};  // null: not registered
  std::atomic<std::uint32_t> wakes{0};
  std::atomic<bool> in_kernel{false};
  bool is_worker = false;
  bool pinned = false;  // the kernel has hold of the pages that it needs to see a sleep

  std::uint64_t address(std::size_t offset) const noexcept {
    return reinterpret_cast<std::uint64_t>(shared.load() + offset);
  }
  std::atomic<std::uint64_t>& state() const noexcept { return word_at<std::uint64_t>(address(0)); }
  std::uint32_t next() const noexcept { return word_at<std::uint32_t>(address(8)).load(); }
  std::uint64_t place() const noexcept { return state().load() & full_mask; }

  bool move(std::uint64_t from, std::uint64_t to) const noexcept {
    std::uint64_t old = state().load();
    return (old & full_mask) == from &&
           state().compare_exchange_strong(old, ((old & ~full_mask) + stamp) | to);
  }
};

namespace {

// The time that a thread spends in the kernel: signal handlers wait.
template <class Thread>
class kernel_mode {
 public:
  explicit kernel_mode(Thread& self) noexcept
      : self_(self), before_(self.in_kernel.exchange(true)) {}
  ~kernel_mode() { self_.in_kernel.store(before_); }
  kernel_mode(const kernel_mode&) = delete;
  kernel_mode& operator=(const kernel_mode&) = delete;

 private:
  Thread& self_;
  const bool before_;
};

base::short_lock table_lock;
constexpr std::size_t threads_max = 4096;
std::array<fake_kernel::thread, threads_max> table;
thread_local constinit fake_kernel::thread* own = nullptr;
pthread_key_t thread_exit;

void forget(fake_kernel::thread& gone) noexcept {
  gone.shared.store(nullptr);
  gone.name.store(0);
}

// Keys are destroyed after thread_local objects, which may unregister the thread.
void thread_ends(void* entry) noexcept {
  auto& gone = *static_cast<fake_kernel::thread*>(entry);
  if (gone.shared.load() != nullptr) breach("a registered thread ends");
  own = nullptr;
  forget(gone);
}

void before_fork() noexcept UMCG_ACQUIRE(table_lock) { table_lock.lock(); }
void after_fork() noexcept UMCG_RELEASE(table_lock) { table_lock.unlock(); }

// The child's one thread is registered as nothing.
void forget_all_in_child() noexcept UMCG_RELEASE(table_lock) {
  for (auto& each : table) forget(each);
  own = nullptr;
  table_lock.unlock();
}

bool watches_threads() noexcept {
  static const bool watching = ::pthread_key_create(&thread_exit, thread_ends) == 0 &&
                               ::pthread_atfork(before_fork, after_fork, forget_all_in_child) == 0;
  return watching;
}

}  // namespace

fake_kernel::thread& fake_kernel::here() noexcept {
  if (own != nullptr) return *own;
  if (!watches_threads()) breach("no key for the end of threads");
  base::short_guard guard(table_lock);
  const auto free = std::ranges::find_if(table, [](auto& each) { return each.name.load() == 0; });
  if (free == table.end()) breach("too many threads");
  free->name.store(static_cast<std::uint32_t>(base::raw_syscall(SYS_gettid)));
  ::pthread_setspecific(thread_exit, &*free);
  own = &*free;
  return *own;
}

fake_kernel::thread* fake_kernel::find(std::uint32_t name) noexcept {
  for (thread& each : table) {
    if (name != 0 && each.name.load() == name) {
      return each.shared.load() != nullptr ? &each : nullptr;
    }
  }
  return nullptr;
}

void fake_kernel::wake(thread& sleeper) noexcept {
  sleeper.wakes.fetch_add(1);
  base::futex_wake(sleeper.wakes);
}

// --- umcg_ctl ---

long fake_kernel::ctl(std::uint32_t flags, kernel::native::kernel_task* shared) noexcept {
  thread& self = here();
  const kernel_mode mode(self);
  if (flags == 0x2) {
    if (shared != nullptr || self.shared.load() == nullptr) return -EINVAL;
    if (self.is_worker && self.place() != (idle | locked)) {
      breach("a worker unregisters without being locked: its server sleeps for ever");
    }
    self.shared.store(nullptr);
    return 0;
  }
  return register_thread(self, flags, reinterpret_cast<std::byte*>(shared));
}

long fake_kernel::register_thread(thread& self, std::uint32_t flags, std::byte* shared) noexcept {
  if ((flags & 0x1) == 0 || (flags & ~0x10001U) != 0) return -EINVAL;
  if (self.shared.load() != nullptr || shared == nullptr) return -EINVAL;
  const auto address = reinterpret_cast<std::uint64_t>(shared);
  self.is_worker = (flags & 0x10000) != 0;
  if (word_at<std::uint32_t>(address + 8).load() != 0) return -EINVAL;
  const std::uint64_t place = word_at<std::uint64_t>(address).load() & full_mask;
  if (place != (self.is_worker ? blocked : running)) return -EINVAL;
  if (address % 64 != 0) breach("the struct is not aligned: it may lie on two pages");
  self.shared.store(shared);
  self.pinned = false;
  if (self.is_worker) {
    check_signals();
    return_to_user(self);
  }
  return 0;
}

// --- umcg_wait ---

long fake_kernel::wait(std::uint32_t flags) noexcept {
  thread& self = here();
  const kernel_mode mode(self);
  if (self.shared.load() == nullptr) return -EINVAL;
  if ((flags & 0x1) != 0) return wake_for(self, flags);
  check_signals();
  const std::uint32_t next = self.next();
  if (self.is_worker) {
    if (self.place() != (idle | locked)) breach("umcg_wait of a worker that is not locked");
    if (!self.move(idle | locked, idle)) return -EFAULT;
  }
  if (next != 0) {
    thread* target = find(next);
    if (target == nullptr) return -ESRCH;
    wake(*target);
  }
  idle_loop(self);
  return_to_user(self);
  if (self.is_worker && self.place() == running && faults_due_.load() > 0) {
    faults_due_.fetch_sub(1);
    go_to_sleep(self);
    return_to_user(self);
  }
  return 0;
}

long fake_kernel::wake_for(thread& self, std::uint32_t flags) noexcept {
  const std::uint32_t next = self.next();
  if ((flags & ~0x3U) != 0 || next == 0) return -EINVAL;
  if (self.is_worker && (self.place() & locked) == 0) {
    breach("next_tid of a running worker is not its server");
  }
  thread* target = find(next);
  if (target == nullptr) return -ESRCH;
  wake(*target);
  return 0;
}

void fake_kernel::idle_loop(thread& self) noexcept {
  self.pinned = false;
  for (;;) {
    const std::uint32_t before = self.wakes.load();
    const std::uint64_t place = self.place();
    if (place != (running | locked) && place != idle) return;
    sleep_until_woken(self, before);
  }
}

void fake_kernel::sleep_until_woken(thread& self, std::uint32_t before) const noexcept {
  constexpr std::chrono::microseconds early(20);
  base::futex_wait(self.wakes, before,
                   wakes_early_.load() ? deadline::after(early) : deadline::never());
}

// --- sleeping and coming back ---

// Whether the worker's server was told.
bool fake_kernel::go_to_sleep(thread& self) noexcept {
  const bool sees = std::exchange(self.pinned, false);
  const std::uint64_t place = self.place();
  if (place != running) {
    if ((place & locked) == 0) breach("user code of a worker that is not running");
    return false;
  }
  if (!sees) {
    unseen_.fetch_add(1);
    return false;
  }
  thread* server = find(self.next());
  if (server == nullptr) breach("SIGKILL: a worker blocks and its server does not exist");
  if (!self.move(running, blocked)) breach("SIGKILL: somebody else changed a running worker");
  if (!wake_server(*server)) breach("a running worker's server is not idle");
  blocks_.fetch_add(1);
  return true;
}

bool fake_kernel::wake_server(thread& server) noexcept {
  const bool was_idle = server.move(idle, running);
  if (was_idle) wake(server);
  return was_idle;
}

void fake_kernel::return_to_user(thread& self) noexcept {
  while (self.is_worker) {
    switch (self.place()) {
      case running | locked:
        idle_loop(self);
        break;
      case running:
        check_running(self);
        return;
      case idle | locked:
        self.pinned = false;
        return;
      case blocked:
      case none:
        come_back(self);
        break;
      default:
        return breach("SIGKILL: user code of an idle worker");
    }
  }
}

void fake_kernel::check_running(thread& self) noexcept {
  if (self.next() == 0) return breach("SIGKILL: a running worker without a server");
  const thread* server = find(self.next());
  if (server == nullptr) return breach("SIGKILL: the server of a running worker does not exist");
  if (server->is_worker) return breach("the server of a running worker is a worker");
  if (server->place() != idle) breach("the server of a running worker is not idle");
  self.pinned = true;
}

void fake_kernel::come_back(thread& self) noexcept {
  const std::uint64_t signals = set_signals(every_signal);
  if (!self.move(self.place(), idle)) breach("SIGKILL: somebody else changed a blocked worker");
  std::atomic<std::uint64_t>& node = word_at<std::uint64_t>(self.address(16));
  const std::uint64_t head = node.load();
  const std::uint64_t slot = word_at<std::uint64_t>(self.address(24)).load();
  if (head == 0 || head == pending || slot == 0) breach("SIGKILL: no idle list or no slot");
  node.store(pending);
  node.store(word_at<std::uint64_t>(head).exchange(self.address(16)));
  const std::uint32_t name = word_at<std::uint32_t>(slot).exchange(0);
  if (name != 0) {
    thread* server = find(name);
    if (server == nullptr) breach("SIGKILL: the idle server does not exist");
    if (!wake_server(*server)) breach("the server in the slot is not idle");
  }
  while (self.place() == idle) {
    const std::uint32_t before = self.wakes.load();
    if (self.place() == idle) sleep_until_woken(self, before);
  }
  if (node.load() != head) breach("a worker runs that is in the idle list");
  set_signals(signals);
}

// --- what the worker tells ---

bool fake_kernel::sleep_while(const std::function<void()>& body) {
  thread& self = here();
  const bool counts = self.shared.load() != nullptr && self.is_worker;
  const kernel_mode mode(self);
  const bool seen = counts && go_to_sleep(self);
  body();
  if (counts) return_to_user(self);
  return seen;
}

void fake_kernel::page_fault() noexcept {
  if (own == nullptr || own->in_kernel.load()) return;
  sleep_while([] {});
}

void fake_kernel::tick() noexcept {
  if (own == nullptr || own->in_kernel.load()) return;
  thread& self = *own;
  const kernel_mode mode(self);
  if (self.shared.load() != nullptr) return_to_user(self);
}

void fake_kernel::reschedule() noexcept {
  tick();
  base::give_way();
}

// Of the signals that reach a thread in umcg_wait the kernel keeps only blocked ones. These few
// stand for all: an emulated kernel keeps some for itself.
void fake_kernel::check_signals() noexcept {
  const std::uint64_t mask = set_signals(every_signal);
  set_signals(mask);
  for (const int signal : {SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGCHLD, SIGRTMIN + 3}) {
    if ((mask >> (signal - 1) & 1) == 0) breach("a signal that comes now is lost");
  }
}

}  // namespace umcg::testing
