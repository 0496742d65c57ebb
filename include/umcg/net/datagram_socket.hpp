// SPDX-License-Identifier: MIT
#pragma once

// Sends and receives datagrams over UDP. The calls block the calling worker only (on a plain
// thread: the thread).
//
// Thread safety: any number of workers and threads may send and receive at once, each datagram goes
// to one of them; expires_at(), close() and moving need the socket for themselves. A
// umcg::cancellation_scope ends a receive that waits.

#include <cstddef>
#include <cstdint>
#include <system_error>

#include "umcg/deadline.hpp"
#include "umcg/net/buffer_list.hpp"
#include "umcg/net/endpoint.hpp"
#include "umcg/net/error.hpp"
#include "umcg/net/with_options.hpp"

namespace umcg::net {

class datagram_socket : public with_options<datagram_socket> {
 public:
  // One call uses at most this many non-empty buffers; invalid_argument if there are more.
  static constexpr std::size_t buffers_max = buffer_list::size_max;

  // Not open; every operation reports bad_descriptor.
  datagram_socket() noexcept = default;
  datagram_socket(datagram_socket&& other) noexcept;
  datagram_socket& operator=(datagram_socket&& other) noexcept;
  datagram_socket(const datagram_socket&) = delete;
  datagram_socket& operator=(const datagram_socket&) = delete;
  ~datagram_socket();

  // Receives what is sent to `where`; port 0: the kernel chooses one. Never blocks. Errors:
  // address_in_use, access_denied, std::errc::address_not_available, ...
  static datagram_socket bind(const endpoint& where);
  static datagram_socket bind(const endpoint& where, std::error_code& error);

  // From now on send() sends to `peer`, and only what comes from there is received. Chooses the
  // local address if there is none yet. Never blocks: nobody is asked. Errors: network_unreachable,
  // ...
  void connect(const endpoint& peer);
  void connect(const endpoint& peer, std::error_code& error);
  // A new socket that is connected.
  static datagram_socket connected(const endpoint& peer);
  static datagram_socket connected(const endpoint& peer, std::error_code& error);

  // The deadline of every following call. Never, to begin with. When it has passed, a call still
  // succeeds if it need not wait.
  void expires_at(deadline until) noexcept { deadline_ = until; }
  deadline expiry() const noexcept { return deadline_; }

  // Waits for one datagram and returns its size, which may be 0. Errors: timed_out; message_size:
  // the buffers had no room for all of it, and hold its beginning, which the result counts;
  // of a connected socket connection_refused (nobody has the port that was sent to), ...
  template <mutable_buffers Buffers>
  std::size_t receive_from(const Buffers& buffers, endpoint& sender);
  template <mutable_buffers Buffers>
  std::size_t receive_from(const Buffers& buffers, endpoint& sender, std::error_code& error);
  template <mutable_buffers Buffers>
  std::size_t receive(const Buffers& buffers);
  template <mutable_buffers Buffers>
  std::size_t receive(const Buffers& buffers, std::error_code& error);

  // Sends all buffers as one datagram, and returns its size. Waits for room in the socket's own
  // queue only: a datagram may get lost behind it. send() needs a connected socket. Errors:
  // message_size (too long for a datagram), timed_out, network_unreachable; of a connected socket
  // connection_refused; std::errc::destination_address_required, ...
  template <const_buffers Buffers>
  std::size_t send_to(const Buffers& buffers, const endpoint& receiver);
  template <const_buffers Buffers>
  std::size_t send_to(const Buffers& buffers, const endpoint& receiver, std::error_code& error);
  template <const_buffers Buffers>
  std::size_t send(const Buffers& buffers);
  template <const_buffers Buffers>
  std::size_t send(const Buffers& buffers, std::error_code& error);

  // Closes now; safe to call twice.
  void close() noexcept;

  // Errors: bad_descriptor; of the other one not_connected.
  endpoint local_endpoint() const;
  endpoint local_endpoint(std::error_code& error) const;
  endpoint remote_endpoint() const;
  endpoint remote_endpoint(std::error_code& error) const;

  bool is_open() const noexcept { return fd_ >= 0; }
  int native_handle() const noexcept { return fd_; }

 private:
  static datagram_socket open(const endpoint& of_family, std::error_code& error);
  std::size_t receive_list(const buffer_list& into, endpoint* sender, std::error_code& error);
  std::size_t send_list(const buffer_list& bytes, const endpoint* receiver, std::error_code& error);

  int fd_ = -1;
  std::uint64_t serial_ = 0;  // which of all sockets that had this number
  deadline deadline_;
};

template <mutable_buffers Buffers>
std::size_t datagram_socket::receive_from(const Buffers& buffers, endpoint& sender,
                                          std::error_code& error) {
  return receive_list(buffer_list::of<asio::mutable_buffer>(buffers), &sender, error);
}

template <mutable_buffers Buffers>
std::size_t datagram_socket::receive_from(const Buffers& buffers, endpoint& sender) {
  std::error_code error;
  const std::size_t size = receive_from(buffers, sender, error);
  throw_if(error, "receive_from");
  return size;
}

template <mutable_buffers Buffers>
std::size_t datagram_socket::receive(const Buffers& buffers, std::error_code& error) {
  return receive_list(buffer_list::of<asio::mutable_buffer>(buffers), nullptr, error);
}

template <mutable_buffers Buffers>
std::size_t datagram_socket::receive(const Buffers& buffers) {
  std::error_code error;
  const std::size_t size = receive(buffers, error);
  throw_if(error, "receive");
  return size;
}

template <const_buffers Buffers>
std::size_t datagram_socket::send_to(const Buffers& buffers, const endpoint& receiver,
                                     std::error_code& error) {
  return send_list(buffer_list::of<asio::const_buffer>(buffers), &receiver, error);
}

template <const_buffers Buffers>
std::size_t datagram_socket::send_to(const Buffers& buffers, const endpoint& receiver) {
  std::error_code error;
  const std::size_t size = send_to(buffers, receiver, error);
  throw_if(error, "send_to");
  return size;
}

template <const_buffers Buffers>
std::size_t datagram_socket::send(const Buffers& buffers, std::error_code& error) {
  return send_list(buffer_list::of<asio::const_buffer>(buffers), nullptr, error);
}

template <const_buffers Buffers>
std::size_t datagram_socket::send(const Buffers& buffers) {
  std::error_code error;
  const std::size_t size = send(buffers, error);
  throw_if(error, "send");
  return size;
}

}  // namespace umcg::net
