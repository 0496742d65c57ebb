// SPDX-License-Identifier: MIT

// A program for a debugger: it comes to everything_is_there() with a worker that is parked and one
// that runs. With an argument it aborts there, for a core file.
#include <atomic>
#include <cstdlib>

#include "umcg/group.hpp"
#include "umcg/sync.hpp"

namespace {

std::atomic<bool> over{false};
std::atomic<int> there{0};

[[gnu::noinline]] void parks_here(umcg::sync::mutex& held, int parameter) {
  int local = parameter + 1;
  there.fetch_add(1);
  held.lock();
  asm volatile("" : "+r"(local));
  held.unlock();
}

[[gnu::noinline]] void spins_here() {
  there.fetch_add(1);
  while (!over.load()) asm volatile("");
}

[[gnu::noinline]] void everything_is_there(bool aborts) {
  if (aborts) std::abort();
  asm volatile("");
}

}  // namespace

int main(int argument_count, char** /*arguments*/) {
  umcg::sync::mutex held;
  held.lock();
  umcg::group running = umcg::group::start({.servers = 2});
  const umcg::worker parked = running.spawn([&] { parks_here(held, 41); }, {.name = "parked"});
  const umcg::worker spinner = running.spawn([] { spins_here(); }, {.name = "spinner"});
  while (there.load() != 2 || running.counters().blocks_for(umcg::wait_reason::mutex) != 1) {
    umcg::yield();
  }
  everything_is_there(argument_count > 1);
  over.store(true);
  held.unlock();
}
