// SPDX-License-Identifier: MIT
#pragma once

// set_option() and get_option() of everything that is a socket.

#include <sys/socket.h>

#include <cstddef>
#include <system_error>

#include <asio/buffer.hpp>

#include "umcg/net/error.hpp"
#include "umcg/net/option.hpp"

namespace umcg::net {

// What Asio calls the protocol. Some options differ between IPv4 and IPv6, and ask.
struct option_target {
  int fd;
  int family() const noexcept;  // AF_INET, AF_INET6, ...
};

void set_option_of(int fd, int level, int name, asio::const_buffer value,
                   std::error_code& error) noexcept;
// Returns the size of the value.
std::size_t get_option_of(int fd, int level, int name, asio::mutable_buffer into,
                          std::error_code& error) noexcept;

// `Socket` has a native_handle(). Never blocks; any thread may call these functions at any time.
// Errors: no_protocol_option (not of this kind of socket), invalid_argument, no_permission,
// bad_descriptor.
template <class Socket>
class with_options {
 public:
  // An option of umcg/net/option.hpp or of Asio, with its value.
  template <class Option>
  void set_option(const Option& wanted, std::error_code& error) noexcept {
    const option_target at = target();
    set_option_of(at.fd, wanted.level(at), wanted.name(at), {wanted.data(at), wanted.size(at)},
                  error);
  }
  template <class Option>
  void set_option(const Option& wanted) {
    std::error_code error;
    set_option(wanted, error);
    throw_if(error, "set_option");
  }

  // As Asio's: the value is in `found`.
  template <class Option>
  void get_option(Option& found, std::error_code& error) const {
    const option_target at = target();
    const std::size_t size = get_option_of(at.fd, found.level(at), found.name(at),
                                           {found.data(at), found.size(at)}, error);
    if (!error) found.resize(at, size);
  }
  template <class Option>
  void get_option(Option& found) const {
    std::error_code error;
    get_option(found, error);
    throw_if(error, "get_option");
  }
  // The value itself: get_option<option::keep_alive>().
  template <class Option>
  auto get_option() const {
    Option found;
    get_option(found);
    return found.value();
  }

 protected:
  with_options() noexcept = default;
  ~with_options() = default;

 private:
  option_target target() const noexcept {
    return {static_cast<const Socket*>(this)->native_handle()};
  }
};

}  // namespace umcg::net
