// SPDX-License-Identifier: MIT
// The contract's world on real threads and the machine's clock.
#include <sched.h>

#include <random>
#include <thread>

#include "contract/harness.hpp"
#include "contract/settings.hpp"
#include "sanitizer.hpp"

namespace contract {

struct thread::state {
  std::thread running;
};

thread::thread(std::function<void()> body) : state_(new state{std::thread(std::move(body))}) {}
thread::~thread() { join(); }
void thread::join() {
  if (state_->running.joinable()) state_->running.join();
}

void pause() { ::sched_yield(); }
void let_pass(nanoseconds duration) { std::this_thread::sleep_for(duration); }
void spin(std::uint32_t turns) {
  for (std::atomic<std::uint32_t> left = turns; left > 0;) --left;
}
bool is_simulated() { return false; }

int rounds(int usual) {
  const int times = static_cast<int>(settings().times);
  return times == 1 && umcg::testing::instrumented ? usual / 10 : usual * times;
}

std::uint32_t random(std::uint32_t bound) {
  thread_local std::minstd_rand source(static_cast<unsigned>(umcg_get_utid()));
  return static_cast<std::uint32_t>(source()) % bound;
}

void begin_test(std::uint32_t /*seed*/) {}
std::string half_name() { return settings().half; }

}  // namespace contract
