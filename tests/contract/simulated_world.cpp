// SPDX-License-Identifier: MIT
// The contract's world on a simulated machine: what the tests use, and what libumcg uses of the
// system. The half is futex_half.cpp, on simulated futexes.
#include <cerrno>
#include <utility>

#include "base/futex.hpp"
#include "contract/harness.hpp"
#include "contract/settings.hpp"
#include "contract/simulation.hpp"
#include "kernel/futex/futex_half.hpp"
#include "libumcg/half.hpp"

// The clock of the machine takes the place of the library's.
std::chrono::steady_clock::time_point std::chrono::steady_clock::now() noexcept {
  return time_point(nanoseconds(contract::simulation::now()));
}

namespace contract {

struct thread::state {
  simulation::thread running;
};

thread::thread(std::function<void()> body)
    : state_(new state{simulation::thread(std::move(body))}) {}
thread::~thread() { join(); }
void thread::join() { state_->running.join(); }

void pause() { simulation::yield(); }
void let_pass(nanoseconds duration) {
  simulation::sleep(nullptr, simulation::now() + duration.count());
}
void spin(std::uint32_t /*turns*/) { simulation::point(); }
bool is_simulated() { return true; }
int rounds(int usual) { return std::max(usual / 100 * static_cast<int>(settings().times), 3); }
std::uint32_t random(std::uint32_t bound) { return simulation::random(bound); }
std::string half_name() { return "simulated"; }
void begin_test(std::uint32_t seed) { simulation::begin(seed); }

}  // namespace contract

namespace umcg::base {

namespace simulation = contract::simulation;

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, deadline until) noexcept {
  // The kernel compares and goes to sleep at once: no point comes between.
  if (word.load() != expected) return;
  simulation::sleep(&word,
                    until.is_never() ? simulation::never : until.when().time_since_epoch().count());
}

void futex_wake(const std::atomic<std::uint32_t>& word, int count) noexcept {
  simulation::point();
  simulation::wake(&word, count);
}

void give_way() noexcept { simulation::yield(); }

}  // namespace umcg::base

namespace umcg::libumcg {

half* default_half() noexcept { return &kernel::futex::futex_half(); }
const char* default_half_reason() noexcept {
  return "kernel half simulated: one thread at a time, in virtual time";
}
int choose_default_half(std::string_view name) noexcept { return name == "simulated" ? 0 : EINVAL; }

}  // namespace umcg::libumcg
