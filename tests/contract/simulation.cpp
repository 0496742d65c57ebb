// SPDX-License-Identifier: MIT
#include "contract/simulation.hpp"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <semaphore>
#include <thread>
#include <utility>
#include <vector>

namespace contract::simulation {

namespace {

// Of these only the one whose turn it is runs, and only that one touches any of this.
struct actor {
  std::binary_semaphore turn{0};
  const void* sleeps_at = nullptr;
  std::int64_t until = never;
  bool sleeps = false;
  bool has_ended = false;
};

constexpr std::int64_t first_now = 1'000'000'000;

struct machine {
  std::vector<actor*> actors;
  std::uint64_t random_state = 1;
  std::int64_t now = first_now;
  std::int64_t next_deadline = never;  // or earlier
  std::uint32_t seed = 0;
  std::uint32_t switch_odds = 1;  // one in so many points passes the turn on
  std::uint64_t points = 0;       // of this schedule
  std::uint64_t trace = 0;
};

constexpr std::uint64_t points_max = 5'000'000;
constexpr std::uint32_t point_ns_max = 100;
constexpr std::uint32_t odds_of_early_return = 16;

machine& here() {
  static machine the_machine;
  return the_machine;
}

thread_local actor* self = nullptr;

[[noreturn]] void give_up(const char* what) {
  std::size_t asleep = 0;
  for (const actor* each : here().actors) asleep += each->sleeps ? 1U : 0U;
  std::fprintf(stderr, "%s: %zu threads, %zu of them asleep; again with --seed %u\n", what,
               here().actors.size(), asleep, here().seed);
  std::fflush(stdout);
  std::abort();
}

// Only one runs at a time: on one CPU the turn passes faster.
void stay_on_this_cpu() {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(static_cast<unsigned>(::sched_getcpu()), &only);
  ::sched_setaffinity(0, sizeof only, &only);
}

std::uint64_t next_random() noexcept {
  // xorshift64*: Marsaglia, "Xorshift RNGs", 2003; Vigna, 2016.
  std::uint64_t& state = here().random_state;
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545f4914f6cdd1dU;
}

void end_due_sleeps() {
  machine& on = here();
  if (on.now < on.next_deadline) return;
  on.next_deadline = never;
  for (actor* each : on.actors) {
    if (!each->sleeps) continue;
    if (each->until <= on.now) {
      each->sleeps = false;
    } else {
      on.next_deadline = std::min(on.next_deadline, each->until);
    }
  }
}

actor* choose() {
  machine& on = here();
  std::vector<actor*> ready;
  for (actor* each : on.actors) {
    if (!each->sleeps) ready.push_back(each);
  }
  if (ready.empty()) return nullptr;
  const std::uint32_t chosen = random(static_cast<std::uint32_t>(ready.size()));
  on.trace = (on.trace ^ chosen) * 0x100000001b3U;
  return ready[chosen];
}

actor& next_one() {
  machine& on = here();
  actor* next = choose();
  while (next == nullptr) {
    if (on.next_deadline == never) give_up("Everybody sleeps and nobody will wake them");
    on.now = on.next_deadline;
    end_due_sleeps();
    next = choose();
  }
  return *next;
}

void pass_turn() {
  actor& next = next_one();
  if (&next == self) return;
  const int saved_errno = errno;
  next.turn.release();
  self->turn.acquire();
  errno = saved_errno;
}

// Ends with its thread, after all that the library keeps for a thread: it is made first.
struct presence {
  ~presence() {
    if (self == nullptr) return;
    machine& on = here();
    self->has_ended = true;
    wake(self, INT32_MAX);
    on.actors.erase(std::find(on.actors.begin(), on.actors.end(), self));
    actor& next = next_one();
    self = nullptr;
    next.turn.release();
  }
};

void begin_thread(actor& mine) {
  thread_local presence present;
  static_cast<void>(present);
  self = &mine;
  self->turn.acquire();
}

}  // namespace

void begin(std::uint32_t seed) {
  machine& on = here();
  if (self == nullptr) {
    static actor first;
    self = &first;
    on.actors.push_back(&first);
    stay_on_this_cpu();
  }
  on.seed = seed;
  on.random_state = (std::uint64_t{seed} + 1) * 0x9e3779b97f4a7c15U;
  on.points = 0;
  on.now = first_now;
  on.next_deadline = never;
  on.trace = 0;
  constexpr std::uint32_t odds[] = {2, 4, 8, 20, 60};
  on.switch_odds = odds[random(5)];
}

std::uint32_t random(std::uint32_t bound) noexcept {
  return static_cast<std::uint32_t>((next_random() >> 32) * bound >> 32);
}

std::int64_t now() noexcept { return here().now; }
std::uint64_t trace() noexcept { return here().trace; }

void point() noexcept {
  if (self == nullptr) return;
  machine& on = here();
  if (++on.points > points_max) give_up("This does not come to an end");
  on.now += random(point_ns_max);
  end_due_sleeps();
  if (random(on.switch_odds) == 0) pass_turn();
}

void yield() noexcept {
  if (self == nullptr) return;
  machine& on = here();
  point();
  const bool alone =
      std::ranges::count_if(on.actors, [](actor* each) { return !each->sleeps; }) == 1;
  if (alone) {
    // Who waits for something looks at the clock as well.
    on.now = on.next_deadline != never ? std::max(on.now, on.next_deadline) : on.now + 1'000'000;
    end_due_sleeps();
  }
  pass_turn();
}

void sleep(const void* address, std::int64_t until) noexcept {
  if (self == nullptr) return;
  machine& on = here();
  if (address != nullptr && random(odds_of_early_return) == 0) return;
  self->sleeps = true;
  self->sleeps_at = address;
  self->until = until;
  on.next_deadline = std::min(on.next_deadline, until);
  end_due_sleeps();
  pass_turn();
  self->sleeps_at = nullptr;
}

void wake(const void* address, int count) noexcept {
  std::vector<actor*> sleepers;
  for (actor* each : here().actors) {
    if (each->sleeps && each->sleeps_at == address) sleepers.push_back(each);
  }
  for (; count > 0 && !sleepers.empty(); --count) {
    const auto chosen = sleepers.begin() + random(static_cast<std::uint32_t>(sleepers.size()));
    (*chosen)->sleeps = false;
    sleepers.erase(chosen);
  }
}

struct thread::state {
  actor role;
  std::thread running;
};

thread::thread(std::function<void()> body) : state_(new state) {
  actor& role = state_->role;
  here().actors.push_back(&role);
  state_->running = std::thread([&role, body = std::move(body)] {
    begin_thread(role);
    body();
  });
  point();
}

thread::~thread() { join(); }

void thread::join() {
  if (!state_->running.joinable()) return;
  while (!state_->role.has_ended) sleep(&state_->role, never);
  state_->running.join();
}

}  // namespace contract::simulation
