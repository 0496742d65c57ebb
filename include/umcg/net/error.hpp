// SPDX-License-Identifier: MIT
#pragma once

// How the net layer reports errors. Each operation has an overload that sets a std::error_code and
// one that throws std::system_error, which is asio::system_error, with the operation's name in its
// text.
//
// Where Asio has a name for an error, compare with that: `error == asio::error::timed_out`. Asio's
// codes are of a category of its own, and Asio does not make them equal to std::errc::timed_out.
// Errors that Asio does not name are of std::system_category: `error ==
// std::errc::address_not_available`.

#include <system_error>

namespace umcg::net {

[[noreturn]] void throw_error(const std::error_code& error, const char* operation);

inline void throw_if(const std::error_code& error, const char* operation) {
  if (error) throw_error(error, operation);
}

}  // namespace umcg::net
