// SPDX-License-Identifier: MIT
#include "kernel/usermode/spares.hpp"

#include <pthread.h>

#include <new>
#include <utility>

#include "base/detached_thread.hpp"
#include "base/futex.hpp"
#include "base/short_lock.hpp"
#include "kernel/usermode/watch.hpp"

namespace umcg::kernel::usermode {

namespace {

// One that rests for so long while there are more than enough ends.
constexpr deadline::clock::duration rest_most = std::chrono::seconds(2);
constexpr std::uint32_t spares_default = 1024;
constexpr std::size_t stack_bytes = std::size_t{64} << 10;

// Never destroyed: it is used after static objects have gone.
struct reserve {
  base::short_lock lock;
  carrier* first UMCG_GUARDED_BY(lock) = nullptr;
  // Written under the lock, for those who look without it.
  std::atomic<std::uint32_t> resting{0};
  std::atomic<std::uint32_t> made{0};
  std::atomic<std::uint32_t> most{spares_default};
  bool has_maker UMCG_GUARDED_BY(lock) = false;
  std::atomic<std::uint32_t> more_wanted{0};  // ends the maker's sleep
};
constinit reserve kept;

void forget_all() noexcept {
  auto* fresh = new (&kept) reserve;
  static_cast<void>(fresh);
  forget_carriers();
  forget_watches();
}

void unlink(carrier& spare) noexcept UMCG_REQUIRES(kept.lock) {
  (spare.before != nullptr ? spare.before->after : kept.first) = spare.after;
  if (spare.after != nullptr) spare.after->before = spare.before;
  spare.rests = false;
  --kept.resting;
}

bool count_one_more() noexcept {
  base::short_guard guard(kept.lock);
  if (kept.made >= kept.most) return false;
  ++kept.made;
  return true;
}

void count_one_less() noexcept {
  base::short_guard guard(kept.lock);
  --kept.made;
}

carrier* make_counted_spare(carrier* here) noexcept {
  if (!count_one_more()) return nullptr;
  carrier* const made = make_spare(here);
  if (made == nullptr) count_one_less();
  return made;
}

std::uint32_t count_missing() noexcept {
  const std::uint32_t resting = kept.resting.load();
  return resting < ready_least ? ready_least - resting : 0;
}

// One that rests is taken out for ever, unless it is needed.
bool may_end(carrier& spare) noexcept {
  base::short_guard guard(kept.lock);
  if (!spare.rests || kept.resting <= ready_least) return false;
  unlink(spare);
  --kept.made;
  return true;
}

// The maker: the only thread of ours that takes locks of the C library.
void* make_for_ever(void* /*unused*/) {
  base::name_this_thread("umcg-carriers");
  for (;;) {
    base::sleep_until_set(kept.more_wanted, deadline::never());
    // At a limit of the system whoever wants one asks again.
    for (std::uint32_t missing = count_missing(); missing != 0; --missing) {
      if (make_counted_spare(nullptr) == nullptr) break;
    }
    make_doorbells();
  }
}

bool claim_maker() noexcept {
  base::short_guard guard(kept.lock);
  return !std::exchange(kept.has_maker, true);
}

void disclaim_maker() noexcept {
  base::short_guard guard(kept.lock);
  kept.has_maker = false;
}

}  // namespace

bool watches_forks() noexcept {
  static const bool watching = ::pthread_atfork(nullptr, nullptr, forget_all) == 0;
  return watching;
}

bool start_maker() noexcept {
  if (!claim_maker()) return true;
  if (base::start_detached_thread(stack_bytes, make_for_ever, nullptr) == 0) {
    return true;
  }
  disclaim_maker();
  return false;
}

void make_more() noexcept { base::set_and_wake(kept.more_wanted); }

carrier* take_ready_spare() noexcept {
  carrier* taken;
  bool few;
  {
    base::short_guard guard(kept.lock);
    taken = kept.first;
    if (taken != nullptr) unlink(*taken);
    few = kept.resting < ready_least && kept.made < kept.most;
  }
  if (few) make_more();
  return taken;
}

carrier* take_or_make_spare(carrier& here) noexcept {
  carrier* const ready = take_ready_spare();
  return ready != nullptr ? ready : make_counted_spare(&here);
}

void rest(carrier& spare) noexcept {
  base::short_guard guard(kept.lock);
  spare.before = nullptr;
  spare.after = std::exchange(kept.first, &spare);
  if (spare.after != nullptr) spare.after->before = &spare;
  spare.rests = true;
  ++kept.resting;
}

void put_to_rest(carrier& spare) noexcept {
  rest(spare);
  spare.calls.ask_to_look();
  base::futex_wake(spare.calls.word());
}

bool await_call(carrier& spare) noexcept {
  while (!spare.calls.take()) {
    if (!spare.status.is_open()) spare.status.open(spare.kernel_thread);
    const bool enough = look_at_spares().resting > ready_least;
    const bool looks_again = enough || !spare.status.is_open();
    const deadline until = looks_again ? deadline::after(rest_most) : deadline::never();
    base::futex_wait(spare.calls.word(), call_state::none, until);
    if (until.passed() && may_end(spare)) return false;
  }
  return true;
}

spare_figures look_at_spares() noexcept {
  return {kept.made.load(), kept.resting.load(), kept.most.load()};
}

void limit_spares(std::uint32_t most) noexcept { kept.most.store(most); }

}  // namespace umcg::kernel::usermode
