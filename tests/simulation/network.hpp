// SPDX-License-Identifier: MIT
#pragma once

// A network in virtual time, with faults from a seed: sockets that carry bytes to each other late,
// in parts, or not at all, and the descriptors that name them. The simulated kernels under the
// reactors (epoll.hpp, uring.hpp) are both built on it; neither knows of the other.
//
// All of it belongs to one server thread and the workers on it: nothing here is locked.

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "umcg/deadline.hpp"

namespace umcg::simulation {

using time_point = deadline::clock::time_point;

// How often each fault comes, out of 1,000.
struct faults {
  unsigned reset = 2;          // of a connection, with each part that is sent
  unsigned lost = 2;           // a part, and all that would come behind it
  unsigned short_count = 300;  // of bytes, sent or received
  unsigned nothing_yet = 100;  // EAGAIN although there would be something
};

struct end_point;  // one end of a connection, or a listener

// What happens at one end, for whoever watches it. The bits are epoll's.
using watcher = std::function<void(std::uint32_t events)>;

struct end_point {
  bool listens = false;
  bool connecting = false;
  bool connected = false;
  bool reset = false;
  bool peer_finished = false;  // everything it sends has arrived
  bool finished = false;       // shut down for sending
  bool silent = false;         // what it sends is lost from here on
  bool reliable = false;       // neither it nor its peer is reset or lost
  std::uint16_t port = 0;
  std::uint16_t peer_port = 0;
  std::deque<std::byte> arrived;
  std::size_t on_the_way = 0;                    // to this end
  std::deque<std::shared_ptr<end_point>> queue;  // connections that wait to be accepted
  std::weak_ptr<end_point> peer;
  std::map<int, watcher> watchers;  // by whatever number their owner has for them
  time_point line_free_at{};        // parts arrive in order
  // Since when a call would succeed, or fail at once; never: it would wait.
  time_point readable_since = time_point::max();
  time_point writable_since = time_point::max();
  std::uint64_t bytes_taken = 0;  // from who sends
};

class network {
 public:
  network(unsigned seed, const faults& with) : random_(seed), faults_(with) {}

  // --- time ---
  time_point now() const { return now_; }
  void at(time_point when, std::function<void()> what);
  void after(std::chrono::nanoseconds delay, std::function<void()> what);
  // Lets the next thing happen, and all that happens at the same time; false: nothing is to happen
  // by `until`, and it is `until` then, unless that is never.
  bool step(time_point until);

  bool chance(unsigned of_thousand) { return random_() % 1000 < of_thousand; }
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }
  const faults& rates() const { return faults_; }
  std::chrono::nanoseconds some_delay() { return std::chrono::nanoseconds(random_() % 3'000'000); }

  // --- descriptors: the lowest number that is free, as the kernel does ---
  int make_socket();
  int listen();
  // A connection that is slow, but neither reset nor lost.
  std::array<int, 2> make_reliable_pair();
  void close(int fd, bool by_reset);
  std::shared_ptr<end_point> find(int fd) const;
  std::size_t open() const;
  std::uint16_t port_of(int fd) const { return find(fd)->port; }
  static sockaddr_in address_of(const end_point& of) { return address_of(of.port); }
  // Nobody answers there.
  sockaddr_in deaf_address() {
    deaf_port_ = ++last_port_;
    return address_of(deaf_port_);
  }

  // --- calls that do not block: a count, a descriptor, or a negated error number ---
  // Those that are only looked at stay.
  int recv(end_point& from, std::span<std::byte> into, bool look_only = false);
  int send(end_point& by, std::span<const std::byte> bytes);
  // recvmsg(2) and sendmsg(2), without addresses.
  int recv_message(end_point& from, const msghdr& message, int flags);
  int send_message(end_point& by, const msghdr& message);
  // The address of the peer goes where `address` and `size` say, as for accept(2).
  int accept(end_point& from, sockaddr* address, socklen_t* size);
  int connect(const std::shared_ptr<end_point>& by, std::uint16_t port);
  static int outcome_of_connect(end_point& of);
  void shut_down(end_point& of);

  static std::uint32_t readiness(const end_point& of);

 private:
  struct event {
    time_point when;
    std::uint64_t number;
    std::function<void()> what;
    bool operator>(const event& other) const {
      return when != other.when ? when > other.when : number > other.number;
    }
  };

  static constexpr std::size_t capacity = 4096;  // bytes on the way to an end and arrived there

  static sockaddr_in address_of(std::uint16_t port);
  int give_number(std::shared_ptr<end_point> to);
  void deliver(const std::shared_ptr<end_point>& to, std::vector<std::byte> bytes);
  void break_connection(end_point& of);
  void note(end_point& of) const;
  void tell(end_point& of, std::uint32_t events) const;

  std::minstd_rand random_;
  const faults faults_;
  // Beyond what the machine's own clock says: none of these deadlines has passed by that.
  time_point now_{std::chrono::hours(100'000)};
  std::uint64_t events_made_ = 0;
  std::vector<event> events_;  // a heap
  std::vector<std::shared_ptr<end_point>> descriptors_;
  std::map<std::uint16_t, std::weak_ptr<end_point>> listeners_;
  std::uint16_t last_port_ = 0;
  std::uint16_t deaf_port_ = 0;
};

}  // namespace umcg::simulation
