// SPDX-License-Identifier: MIT
#pragma once

// Where the contract of the blocking calls is played: on workers over a reactor and the real
// kernel, on plain threads, or on workers over a reactor and a simulated kernel, in virtual time. A
// stage has the sockets, the peers at their other ends, who know of no reactor, and the clock.

#include <netinet/in.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/operations.hpp"
#include "umcg/body.hpp"
#include "unit/sched/time_limits.hpp"

namespace umcg::contract {

// One end for the calls under test, one for the peer.
struct connection {
  io::descriptor here;
  int there;
};

// Called by who plays a case, and for the clock by what it has started. Sockets live as long as the
// stage, unless they are closed.
class reactor_stage {
 public:
  virtual ~reactor_stage() = default;

  // Runs `work` beside the caller.
  virtual void start(body work) = 0;
  // Waits for all that was started.
  virtual void join() = 0;
  // Returns when all that was started, and has not ended, is blocked.
  virtual void settle() = 0;
  void run(body work) {
    start(std::move(work));
    join();
  }

  virtual deadline::clock::time_point now() = 0;
  bool passed(deadline until) { return now() >= until.when(); }
  // For what must not happen, for what must, and one that has passed.
  deadline soon() { return deadline(now() + testing::soon_duration); }
  deadline patience() { return deadline(now() + testing::patience_duration); }
  deadline long_ago() { return deadline(now() - std::chrono::seconds(1)); }
  // What a call may take beyond its deadline.
  virtual std::chrono::nanoseconds lateness_max() const = 0;

  virtual connection connect_pair() = 0;
  // One whose buffers are small: much() does not fit.
  virtual connection connect_narrow_pair() = 0;
  virtual std::size_t much() const = 0;
  // One where nothing can be sent from here, not even a byte.
  virtual connection connect_full_pair() = 0;
  virtual int make_socket() = 0;
  virtual io::descriptor listen() = 0;
  virtual sockaddr_in address_of(int fd) = 0;
  // Where nobody answers who connects.
  virtual sockaddr_in deaf_address() = 0;
  // A connection to that address, made by a peer.
  virtual int connect_to(const sockaddr_in& address) = 0;

  // What the peer does, or the owner. These calls block, and what they do has arrived when they
  // return.
  virtual void put(int fd, std::string_view bytes) = 0;
  // Up to so many bytes; fewer: the other side has closed, or reset.
  virtual std::vector<std::byte> take(int fd, std::size_t size) = 0;
  virtual void finish(int fd) = 0;  // sends no more
  virtual void shut_down(int fd) = 0;
  virtual void close(int fd) = 0;
  virtual void reset(int fd) = 0;
};

// Plays the case on one stage, or on several of the kind, one after the other.
using reactor_case = void (*)(reactor_stage&);
void play_on_servers(unsigned servers, const char* reactor, reactor_case play);
// Over many seeds. `in_sight`: no fault hides what is there.
void play_on_simulated_io_uring(reactor_case play, bool in_sight);
void play_on_simulated_epoll(reactor_case play, bool in_sight);

}  // namespace umcg::contract
