// SPDX-License-Identifier: MIT
// The switch itself, below any scheduler: what a context keeps while it is saved, what is handed
// over, and the ways by which a context gets or leaves a kernel thread.
#include "kernel/usermode/context.hpp"

#include <pthread.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cfenv>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/futex.hpp"
#include "base/raw_syscall.hpp"
#include "kernel/usermode/thread_identity.hpp"
#include "kernel/usermode/thread_pointer.hpp"
#include "unit/kernel/usermode/marked_registers.hpp"

namespace umcg::kernel::usermode {
namespace {

long kernel_thread() { return base::raw_syscall(SYS_gettid); }

// The order of switches in a form that ThreadSanitizer sees, which it is not of a switch itself.
std::atomic<long> order{0};

void* go(context& from, const context& to, void* message) {
  order.fetch_add(1);
  void* const received = switch_context(&from, &to, message);
  order.fetch_add(1);
  return received;
}

void* number(std::intptr_t value) { return reinterpret_cast<void*>(value); }
std::intptr_t number(void* message) { return reinterpret_cast<std::intptr_t>(message); }

// The calling thread as a context that others come back to.
class host {
 public:
  host() {
    EXPECT_EQ(examine_machine(), "");
    here.thread_pointer = __builtin_thread_pointer();
    thread_pointer_.set_up();
  }
  ~host() { thread_pointer_.tear_down(); }
  host(const host&) = delete;
  host& operator=(const host&) = delete;

  context here;

 private:
  carrier_thread_pointer thread_pointer_;
};

// A thread that gave its kernel thread away. `body` runs when somebody switches to it, with the
// first message; when it returns, the context goes back to whoever `return_to` names, for good.
class guest {
 public:
  using body_function = std::function<void(guest&, void*)>;

  explicit guest(body_function body) : body_(std::move(body)) {
    EXPECT_EQ(::pthread_create(&thread_, nullptr, main, this), 0);
    while (is_saved_.load() == 0) base::futex_wait(is_saved_, 0);
  }
  // Ends the thread as every thread ends, on a kernel thread of its own.
  ~guest() {
    order.fetch_add(1);
    EXPECT_GT(umcg_continue_on_new_thread(&here, nullptr, thread_id_field(thread_)), 0);
    EXPECT_EQ(::pthread_join(thread_, nullptr), 0);
  }
  guest(const guest&) = delete;
  guest& operator=(const guest&) = delete;

  pthread_t thread() const { return thread_; }

  context here;
  context* return_to = nullptr;

 private:
  static void* main(void* argument) {
    guest& self = *static_cast<guest*>(argument);
    self.here.thread_pointer = __builtin_thread_pointer();
    give_up_kernel_identity();
    void* const message = umcg_save_and_exit(&self.here, &self.is_saved_);
    order.fetch_add(1);
    if (self.return_to == nullptr) return nullptr;
    self.body_(self, message);
    go(self.here, *self.return_to, nullptr);
    return nullptr;
  }

  const body_function body_;
  std::atomic<std::uint32_t> is_saved_{0};
  pthread_t thread_{};
};

TEST(context, HandsMessagesBothWays) {
  host self;
  guest other([&self](guest& me, void* message) {
    while (message != nullptr) message = go(me.here, self.here, number(number(message) * 2));
  });
  other.return_to = &self.here;
  for (std::intptr_t value = 1; value < 1000; ++value) {
    EXPECT_EQ(number(go(self.here, other.here, number(value))), 2 * value);
  }
  EXPECT_EQ(go(self.here, other.here, nullptr), nullptr);
}

TEST(context, KeepsTheRegistersOfTheCallee) {
  host self;
  guest other([&self](guest& me, void*) {
    for (std::uint64_t round = 0; round < 100; ++round) {
      EXPECT_TRUE(keeps_marks(me.here, self.here, 1000 + round)) << "guest, round " << round;
    }
  });
  other.return_to = &self.here;
  EXPECT_EQ(go(self.here, other.here, nullptr), nullptr);
  for (std::uint64_t round = 0; round < 99; ++round) {
    EXPECT_TRUE(keeps_marks(self.here, other.here, 2000 + round)) << "host, round " << round;
  }
  go(self.here, other.here, nullptr);
}

TEST(context, KeepsFloatingPointControl) {
  host self;
  const std::uint64_t usual = floating_point_control();
  constexpr std::array modes{FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO, FE_TONEAREST};
  std::vector<std::unique_ptr<guest>> guests;
  for (const int mode : modes) {
    guests.push_back(std::make_unique<guest>([&self, mode, usual](guest& me, void*) {
      EXPECT_EQ(floating_point_control(), usual);
      std::fesetround(mode);
      flush_denormals(mode == FE_DOWNWARD);
      const std::uint64_t own = floating_point_control();
      for (int round = 0; round < 10; ++round) {
        go(me.here, self.here, nullptr);
        EXPECT_EQ(std::fegetround(), mode);
        EXPECT_EQ(floating_point_control(), own);
      }
    }));
    guests.back()->return_to = &self.here;
  }
  for (int round = 0; round <= 10; ++round) {
    for (const auto& one : guests) {
      go(self.here, one->here, nullptr);
      EXPECT_EQ(floating_point_control(), usual);
    }
  }
}

thread_local int own_number = 0;

TEST(context, BringsItsThreadPointer) {
  host self;
  own_number = 1;
  const pthread_t host_thread = ::pthread_self();
  const int* const host_errno = &errno;
  guest other([&](guest& me, void*) {
    EXPECT_EQ(own_number, 0);
    own_number = 2;
    errno = 20;
    EXPECT_EQ(__builtin_thread_pointer(), me.here.thread_pointer);
    EXPECT_TRUE(::pthread_equal(::pthread_self(), me.thread()));
    EXPECT_NE(&errno, host_errno);
    go(me.here, self.here, nullptr);
    EXPECT_EQ(own_number, 2);
    EXPECT_EQ(errno, 20);
  });
  other.return_to = &self.here;
  errno = 10;
  for (int times = 0; times < 2; ++times) {
    go(self.here, other.here, nullptr);
    EXPECT_EQ(own_number, 1);
    EXPECT_EQ(errno, 10);
    EXPECT_TRUE(::pthread_equal(::pthread_self(), host_thread));
  }
}

// Switches at every depth, down and up again. Returns the sum of what all frames kept.
std::uint64_t descend(guest& me, const context& to, unsigned depth) {
  std::array<std::uint64_t, 16> kept;
  kept.fill(depth);
  go(me.here, to, number(static_cast<std::intptr_t>(depth)));
  const std::uint64_t below = depth == 0 ? 0 : descend(me, to, depth - 1);
  go(me.here, to, number(static_cast<std::intptr_t>(depth)));
  for (const std::uint64_t value : kept) EXPECT_EQ(value, depth);
  return below + kept[depth % kept.size()];
}

TEST(context, SwitchesAtAnyDepth) {
  constexpr unsigned depth = 1000;
  host self;
  std::array<std::uint64_t, 3> sums{};
  std::vector<std::unique_ptr<guest>> guests;
  for (std::uint64_t& sum : sums) {
    guests.push_back(
        std::make_unique<guest>([&](guest& me, void*) { sum = descend(me, self.here, depth); }));
    guests.back()->return_to = &self.here;
  }
  for (unsigned step = 0; step < 2 * (depth + 1) + 1; ++step) {
    for (const auto& one : guests) go(self.here, one->here, nullptr);
  }
  for (const std::uint64_t sum : sums) EXPECT_EQ(sum, std::uint64_t{depth} * (depth + 1) / 2);
}

TEST(context, IsContinuedByAnyKernelThread) {
  constexpr int rounds = 50;
  std::vector<long> seen;
  context* back = nullptr;
  guest wanderer([&](guest& me, void*) {
    for (int round = 0; round < rounds; ++round) {
      seen.push_back(kernel_thread());
      go(me.here, *back, nullptr);
    }
  });
  std::vector<long> expected;
  for (int round = 0; round < rounds; ++round) {
    std::thread([&] {
      host self;
      back = wanderer.return_to = &self.here;
      expected.push_back(kernel_thread());
      go(self.here, wanderer.here, nullptr);
    }).join();
  }
  EXPECT_EQ(seen, expected);
  host self;
  wanderer.return_to = &self.here;
  go(self.here, wanderer.here, nullptr);
}

// A thread that registered keeps its kernel thread asleep while another one runs its context, and
// goes on there when it is sent home.
TEST(context, StaysAtHomeAndComesBack) {
  host self;
  context resident;
  std::atomic<std::uint32_t> is_saved{0};
  std::atomic<std::uint32_t> go_home{0};
  alignas(16) std::array<std::byte, 4096> home_stack;
  std::thread thread([&] {
    const long home = kernel_thread();
    resident.thread_pointer = __builtin_thread_pointer();
    void* const message =
        umcg_save_and_stay(&resident, &is_saved, &go_home, home_stack.data() + home_stack.size());
    order.fetch_add(1);
    EXPECT_EQ(number(message), 5);
    EXPECT_NE(kernel_thread(), home);
    go(resident, self.here, number(6));
    EXPECT_EQ(kernel_thread(), home);
    EXPECT_EQ(go_home.load(), 1U);
  });
  while (is_saved.load() == 0) base::futex_wait(is_saved, 0);
  const long mine = kernel_thread();
  EXPECT_EQ(number(go(self.here, resident, number(5))), 6);
  EXPECT_EQ(kernel_thread(), mine);
  order.fetch_add(1);
  go_home.store(1);
  base::futex_wake(go_home);
  thread.join();
}

// Stores the kernel thread on which its thread ends.
struct stores_at_end {
  std::atomic<std::uint32_t>* where = nullptr;
  ~stores_at_end() {
    if (where != nullptr) where->store(static_cast<std::uint32_t>(kernel_thread()));
  }
};
thread_local stores_at_end at_end;

TEST(context, GetsAKernelThreadOfItsOwnAtTheEnd) {
  std::atomic<std::uint32_t> id_at_end{0};
  std::uint32_t virtual_id = 0;
  {
    host self;
    guest other([&](guest& me, void*) {
      virtual_id = *thread_id_field(::pthread_self());
      at_end.where = &id_at_end;
      go(me.here, self.here, nullptr);
    });
    other.return_to = &self.here;
    go(self.here, other.here, nullptr);
    go(self.here, other.here, nullptr);
    EXPECT_EQ(id_at_end.load(), 0U);
  }
  EXPECT_NE(id_at_end.load(), 0U);
  EXPECT_NE(id_at_end.load(), virtual_id);
  EXPECT_NE(id_at_end.load(), static_cast<std::uint32_t>(kernel_thread()));
}

}  // namespace
}  // namespace umcg::kernel::usermode
