// SPDX-License-Identifier: MIT

// The codes that the net layer reports can be compared with the names that its documentation gives.

#include "net/error_code.hpp"

#include <cerrno>
#include <string>

#include <asio/error.hpp>
#include <gtest/gtest.h>

#include "umcg/net/error.hpp"

namespace umcg::net {
namespace {

std::error_code from_kernel(int number) { return {number, std::system_category()}; }

TEST(ErrorCode, IsAsiosWhereAsioHasAName) {
  using namespace asio::error;
  for (const basic_errors name : {access_denied,
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
                                  would_block}) {
    EXPECT_EQ(named_error(from_kernel(name)), name);
  }
}

TEST(ErrorCode, IsTheSystemsWhereAsioHasNone) {
  EXPECT_EQ(named_error(from_kernel(EADDRNOTAVAIL)), std::errc::address_not_available);
  EXPECT_EQ(named_error(from_kernel(ENFILE)), std::errc::too_many_files_open_in_system);
  EXPECT_EQ(named_error(from_kernel(EPROTO)), std::errc::protocol_error);
}

TEST(ErrorCode, LastErrorIsErrno) {
  errno = EPIPE;
  EXPECT_EQ(last_error(), asio::error::broken_pipe);
  errno = ENFILE;
  EXPECT_EQ(last_error(), std::errc::too_many_files_open_in_system);
}

TEST(ErrorCode, OfAnotherCategoryStays) {
  EXPECT_EQ(named_error(asio::error::eof), asio::error::eof);
  EXPECT_EQ(named_error(std::make_error_code(std::errc::timed_out)), std::errc::timed_out);
  EXPECT_EQ(named_error(std::error_code()), std::error_code());
}

TEST(ErrorCode, ThrownNamesTheOperation) {
  throw_if({}, "nothing");
  try {
    throw_if(asio::error::timed_out, "read_some");
    FAIL() << "not thrown";
  } catch (const asio::system_error& failure) {
    EXPECT_EQ(failure.code(), asio::error::timed_out);
    EXPECT_EQ(std::string(failure.what()).find("read_some"), 0u);
  }
}

}  // namespace
}  // namespace umcg::net
