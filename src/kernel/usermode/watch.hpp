// SPDX-License-Identifier: MIT
#pragma once

// Servers as their watchers see them, and the hand-off without being asked: a worker blocks its
// carrier, in a system call, a page fault or a lock, and knows nothing of it. Two watch:
//
//   doorbell  one thread for each server, of the lowest priority there is (SCHED_IDLE), on the CPU
//             that the server runs on: the kernel runs it when the server's carrier sleeps, for
//             whatever reason, and nobody else wants the CPU (doorbell.cpp)
//   monitor   one thread for all, every so often: arms the doorbells of busy servers, finds what
//             they miss, and has workers preempted that compute for too long (monitor.cpp)
//
// Both only look and call; whoever is called takes the server. They hold no lock over that, since
// the doorbell may be stopped anywhere for long. What they look at is never freed.

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "kernel/usermode/carrier.hpp"
#include "kernel/usermode/watch_state.hpp"
#include "libumcg/half.hpp"

namespace umcg::kernel::usermode {

// A server's. Used again for later servers.
struct watch {
  std::atomic<libumcg::task*> server{nullptr};  // null: nobody's
  std::atomic<std::uint64_t> number{0};         // another for each server
  std::atomic<carrier*> on{nullptr};            // who hosts it, or is to
  std::atomic<carrier*> home{nullptr};          // its own kernel thread
  std::atomic<bool> is_parked{true};            // it sleeps in the library
  std::atomic<std::uint32_t> parks{0};          // how often it has done that; written by it
  std::atomic<carrier*> standby{nullptr};       // a spare that is kept for it
  std::atomic<std::uint32_t> armed{0};          // ends the doorbell's sleep
  enum class bell : std::uint8_t { none, wanted, hung, refused };
  std::atomic<bell> doorbell{bell::none};
  // Something has blocked here lately: the doorbell is armed as soon as the server goes on.
  std::atomic<bool> blocks_often{false};
  std::atomic<std::int64_t> quantum_ns{0};  // 0: workers may compute for ever
};

// The calling thread, a server on its home, is watched from now on; and no more. Null: it is not,
// for want of memory or of a way to look.
watch* begin_watch(libumcg::task& server) noexcept;
void end_watch(watch& over) noexcept;

// The server is about to sleep; it goes on.
void note_park(watch& of) noexcept;
void note_unpark(watch& of) noexcept;

// What a look at a server found.
enum class finding : std::uint8_t {
  nobody,      // it is not watched any more, or parked
  at_work,     // it runs itself, or its worker is inside the library
  not_known,   // its carrier cannot be looked at
  computing,   // its worker does not sleep, or did and has gone on
  handed_off,  // a worker blocked; a spare has been called
  no_spare,    // a worker blocks, and there is no carrier to be had now
};
struct look_result {
  finding found;
  libumcg::task* worker;    // handed_off, no_spare: who blocks or computes
  thread_sample sample;     // likewise: what its carrier did
  std::uint64_t token = 0;  // handed_off: what the spare takes the server with
};
// Who looks, with how much patience.
enum class insistence : std::uint8_t {
  doorbell,
  monitor,   // the doorbell may be at work
  on_sleep,  // that one has had its time
  on_all,    // likewise; and the worker was asked to yield, or cannot be looked at: it loses its
             // server whatever it does
};
look_result look(watch& at, insistence insists) noexcept;

// Keeps a ready spare for that server on the CPU that it is on; -1: not known, anywhere. Not by the
// doorbell: takes a lock.
void keep_standby(watch& at, int cpu) noexcept;
// It is the caller's now; null when there is none.
carrier* take_standby(watch& at) noexcept;
// One that is kept for a server that sleeps.
carrier* take_standby_of_parked() noexcept;

// Every watch there has been, for the monitor; null behind the last.
watch* watch_number(std::size_t number) noexcept;

bool uses_doorbells() noexcept;

// doorbell.cpp
bool start_doorbell(watch& of) noexcept;
void arm(watch& of) noexcept;
// The maker: those that are wanted.
void make_doorbells() noexcept;

// monitor.cpp: false when it cannot be.
bool start_monitor() noexcept;
void wake_monitor() noexcept;
extern monitor_state monitor;

// spares.cpp
bool start_maker() noexcept;

// In a child made by fork().
void forget_watches() noexcept;

// Returns what can be had of that here, for the log.
std::string configure_watching(const hand_off_options& options);
// How often the monitor looks.
std::chrono::nanoseconds watch_tick() noexcept;

}  // namespace umcg::kernel::usermode
