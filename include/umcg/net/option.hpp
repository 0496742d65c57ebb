// SPDX-License-Identifier: MIT
#pragma once

// Socket options by name, with values of the right type:
//
//   peer.set_option(option::tcp_user_timeout(30s));
//   const int bytes = peer.get_option<option::receive_buffer_size>();
//
// They are Asio's SettableSocketOption and GettableSocketOption, so Asio's own options work here -
// asio::ip::tcp::no_delay, asio::socket_base::linger, asio::ip::multicast::join_group - and these
// work on Asio's sockets. socket(7), tcp(7), ip(7) and ipv6(7) say what each does.

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "umcg/net/option_value.hpp"

namespace umcg::net::option {

// Any other option of the kernel: `using busy = basic<int, SOL_SOCKET, SO_PREFER_BUSY_POLL>`.
// `Value` is bool, int, std::string, or std::chrono::seconds, milliseconds or microseconds,
// whichever the kernel counts in.
template <class Value, int Level, int Name>
class basic {
 public:
  using value_type = Value;

  basic() = default;
  explicit basic(const Value& value) : kernel_(value) {}
  Value value() const { return kernel_.value(); }

  // What sockets ask of an option.
  template <class Protocol>
  int level(const Protocol&) const noexcept {
    return Level;
  }
  template <class Protocol>
  int name(const Protocol&) const noexcept {
    return Name;
  }
  template <class Protocol>
  void* data(const Protocol&) noexcept {
    return kernel_.data();
  }
  template <class Protocol>
  const void* data(const Protocol&) const noexcept {
    return kernel_.data();
  }
  template <class Protocol>
  std::size_t size(const Protocol&) const noexcept {
    return kernel_.size();
  }
  template <class Protocol>
  void resize(const Protocol&, std::size_t size) {
    kernel_.resize(size);
  }

 private:
  kernel_value<Value> kernel_;
};

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// --- any socket ---
using reuse_address = basic<bool, SOL_SOCKET, SO_REUSEADDR>;
using reuse_port = basic<bool, SOL_SOCKET, SO_REUSEPORT>;
using keep_alive = basic<bool, SOL_SOCKET, SO_KEEPALIVE>;
using broadcast = basic<bool, SOL_SOCKET, SO_BROADCAST>;
// Bytes; the kernel gives twice that, for its own needs, and reports what it gave.
using receive_buffer_size = basic<int, SOL_SOCKET, SO_RCVBUF>;
using send_buffer_size = basic<int, SOL_SOCKET, SO_SNDBUF>;
using priority = basic<int, SOL_SOCKET, SO_PRIORITY>;
using mark = basic<int, SOL_SOCKET, SO_MARK>;
using incoming_cpu = basic<int, SOL_SOCKET, SO_INCOMING_CPU>;
using busy_poll = basic<microseconds, SOL_SOCKET, SO_BUSY_POLL>;
using bind_to_device = basic<std::string, SOL_SOCKET, SO_BINDTODEVICE>;  // an interface; "": any
// How long close() waits for what is sent to arrive; zero: not at all, it resets the connection;
// none: close() does not wait, and the kernel goes on sending.
using linger = basic<std::optional<seconds>, SOL_SOCKET, SO_LINGER>;

// --- IP ---
using ip_time_to_live = basic<int, IPPROTO_IP, IP_TTL>;
using ip_type_of_service = basic<int, IPPROTO_IP, IP_TOS>;
using ip_free_bind = basic<bool, IPPROTO_IP, IP_FREEBIND>;
using ipv6_only = basic<bool, IPPROTO_IPV6, IPV6_V6ONLY>;
using ipv6_hops = basic<int, IPPROTO_IPV6, IPV6_UNICAST_HOPS>;
using ipv6_traffic_class = basic<int, IPPROTO_IPV6, IPV6_TCLASS>;

// --- TCP ---
using tcp_no_delay = basic<bool, IPPROTO_TCP, TCP_NODELAY>;
using tcp_cork = basic<bool, IPPROTO_TCP, TCP_CORK>;
using tcp_quick_acknowledge = basic<bool, IPPROTO_TCP, TCP_QUICKACK>;
// With keep_alive: silence before the first probe, time between probes, how many of them.
using tcp_keep_alive_idle = basic<seconds, IPPROTO_TCP, TCP_KEEPIDLE>;
using tcp_keep_alive_interval = basic<seconds, IPPROTO_TCP, TCP_KEEPINTVL>;
using tcp_keep_alive_count = basic<int, IPPROTO_TCP, TCP_KEEPCNT>;
// How long sent bytes may go without an acknowledgement before the connection is given up.
using tcp_user_timeout = basic<milliseconds, IPPROTO_TCP, TCP_USER_TIMEOUT>;
using tcp_syn_count = basic<int, IPPROTO_TCP, TCP_SYNCNT>;
using tcp_maximum_segment = basic<int, IPPROTO_TCP, TCP_MAXSEG>;
using tcp_unsent_low_watermark = basic<int, IPPROTO_TCP, TCP_NOTSENT_LOWAT>;
using tcp_congestion_control = basic<std::string, IPPROTO_TCP, TCP_CONGESTION>;
// Of listeners: connections show up once they have brought bytes; at most so many bring them with
// their SYN.
using tcp_defer_accept = basic<seconds, IPPROTO_TCP, TCP_DEFER_ACCEPT>;
using tcp_fast_open = basic<int, IPPROTO_TCP, TCP_FASTOPEN>;
using tcp_fast_open_connect = basic<bool, IPPROTO_TCP, TCP_FASTOPEN_CONNECT>;

}  // namespace umcg::net::option
