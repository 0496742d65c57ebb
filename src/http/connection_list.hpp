// SPDX-License-Identifier: MIT
#pragma once

// The connections that a service is serving, so that it can drain. Idle ones are ended by shutting
// down their receiving side: their workers read the end of the stream, now or as soon as they look.
// That needs no agreement about who looks first, and it harms nobody who has a whole request in
// hand. A connection that waits for the rest of a request says so and is left alone; its response
// will say `Connection: close`.

#include <atomic>
#include <cstdint>

#include "base/short_lock.hpp"
#include "umcg/deadline.hpp"
#include "umcg/net/stream.hpp"

namespace umcg::http {

class connection_list;

// Lists a connection for as long as its worker serves it. `peer` must outlive it.
class listed_connection {
 public:
  listed_connection(connection_list& list, net::stream& peer) noexcept;
  ~listed_connection();
  listed_connection(const listed_connection&) = delete;
  listed_connection& operator=(const listed_connection&) = delete;

  // False: the service is draining, and this connection came too late.
  bool admitted() const noexcept { return admitted_; }
  // Unique within the service, from 1 on.
  std::uint64_t number() const noexcept { return number_; }
  bool draining() const noexcept;

  // While true, a drain does not end the connection.
  void set_mid_request(bool is) noexcept {
    if (mid_request_ != is) mid_request_ = is;
  }

 private:
  friend class connection_list;

  connection_list& list_;
  net::stream& peer_;
  bool admitted_ = false;                  // fixed after the constructor
  std::uint64_t number_ = 0;               // fixed after the constructor
  std::atomic<bool> mid_request_ = false;  // written by the worker, read by a drain
  listed_connection* previous_ = nullptr;  // these two: under the list's lock
  listed_connection* next_ = nullptr;
};

class connection_list {
 public:
  bool draining() const noexcept { return draining_; }

  // Ends the idle connections and lists no new ones.
  void drain() noexcept;
  // Ends all connections, requests or not.
  void end_all() noexcept;
  // Blocks the calling thread until no connection is listed. False: one was at the deadline.
  bool wait_until_empty(deadline until) noexcept;
  std::uint32_t size() const noexcept { return size_; }

 private:
  friend class listed_connection;
  bool add(listed_connection& added, std::uint64_t& number) noexcept;
  void remove(listed_connection& removed) noexcept;

  base::short_lock lock_;
  listed_connection* first_ UMCG_GUARDED_BY(lock_) = nullptr;
  std::uint64_t last_number_ UMCG_GUARDED_BY(lock_) = 0;
  std::atomic<bool> draining_ = false;   // written under the lock
  std::atomic<std::uint32_t> size_ = 0;  // a futex word for wait_until_empty()
};

}  // namespace umcg::http
