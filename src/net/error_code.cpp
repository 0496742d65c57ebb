// SPDX-License-Identifier: MIT

#include "net/error_code.hpp"

#include <algorithm>
#include <cerrno>

#include <asio/error.hpp>

#include "umcg/net/error.hpp"

namespace umcg::net {
namespace {

using enum asio::error::basic_errors;

constexpr asio::error::basic_errors asio_names[] = {
    access_denied,
    address_family_not_supported,
    address_in_use,
    already_connected,
    already_started,
    bad_descriptor,
    broken_pipe,
    connection_aborted,
    connection_refused,
    connection_reset,
    fault,
    host_unreachable,
    in_progress,
    interrupted,
    invalid_argument,
    message_size,
    name_too_long,
    network_down,
    network_reset,
    network_unreachable,
    no_buffer_space,
    no_descriptors,
    no_memory,
    no_permission,
    no_protocol_option,
    no_such_device,
    not_connected,
    not_socket,
    operation_aborted,
    operation_not_supported,
    shut_down,
    timed_out,
    try_again,
    would_block,
};

}  // namespace

std::error_code named_error(const std::error_code& error) {
  if (error.category() != std::system_category()) return error;
  const auto* const name = std::ranges::find(asio_names, error.value(),
                                             [](auto known) { return static_cast<int>(known); });
  return name == std::end(asio_names) ? error : *name;
}

std::error_code last_error() { return named_error({errno, std::system_category()}); }

void throw_error(const std::error_code& error, const char* operation) {
  throw std::system_error(error, operation);
}

}  // namespace umcg::net
