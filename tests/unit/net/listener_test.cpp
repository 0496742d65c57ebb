// SPDX-License-Identifier: MIT

// Binding and accepting: addresses, sharing, errors that are the caller's and errors that are
// skipped.

#include "umcg/net/listener.hpp"

#include <sys/resource.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "unit/net/call_filter.hpp"
#include "unit/net/loopback.hpp"

namespace umcg::net {
namespace {

using namespace loopback;

const endpoint any_port = parse_endpoint("127.0.0.1:0");

endpoint at_port(const char* address, std::uint16_t port) {
  return {asio::ip::make_address(address), port};
}

TEST(Listener, ChoosesAPortAndIsClosedOnExec) {
  const listener chosen = listener::bind(any_port);
  EXPECT_TRUE(chosen.is_open());
  EXPECT_EQ(chosen.local_endpoint().address(), any_port.address());
  EXPECT_NE(chosen.local_endpoint().port(), 0);
  EXPECT_TRUE(has_flag(chosen.native_handle(), F_GETFD, FD_CLOEXEC));
  EXPECT_FALSE(has_flag(chosen.native_handle(), F_GETFL, O_NONBLOCK));
}

TEST(Listener, WildcardTakesIPv4AndIPv6) {
  listener both = listener::bind(parse_endpoint(":0"));
  const std::uint16_t port = both.local_endpoint().port();
  const stream over_ipv4 = stream::connect(at_port("127.0.0.1", port), patience());
  const stream accepted = both.accept(patience());
  EXPECT_TRUE(accepted.is_open());
  if (both.local_endpoint().address().is_v4()) GTEST_SKIP() << "this machine has no IPv6";
  EXPECT_EQ(to_string(accepted.remote_endpoint()),
            to_string(at_port("::ffff:127.0.0.1", over_ipv4.local_endpoint().port())));
  const std::string reason = missing_family(parse_endpoint("[::1]:0"));
  if (!reason.empty()) GTEST_SKIP() << reason;
  const stream over_ipv6 = stream::connect(at_port("::1", port), patience());
  EXPECT_EQ(both.accept(patience()).remote_endpoint(), over_ipv6.local_endpoint());
}

TEST(Listener, IPv6OnlyRefusesIPv4) {
  const std::string reason = missing_family(parse_endpoint("[::1]:0"));
  if (!reason.empty()) GTEST_SKIP() << reason;
  listener one = listener::bind(parse_endpoint(":0"), {.ipv6_only = true});
  const std::uint16_t port = one.local_endpoint().port();
  std::error_code error;
  stream::connect(at_port("127.0.0.1", port), patience(), error);
  EXPECT_EQ(error, asio::error::connection_refused);
  stream::connect(at_port("::1", port), patience(), error);
  EXPECT_FALSE(error);
}

// A seccomp filter plays the machine without IPv6; it ends with the thread.
TEST(Listener, WildcardIsIPv4WhereThereIsNoIPv6) {
  bool denied = false;
  listener fallback;
  std::error_code explicit_error;
  std::error_code ipv6_only_error;
  std::thread([&] {
    denied = call_filter::deny({SYS_socket, AF_INET6}, EAFNOSUPPORT);
    if (!denied) return;
    fallback = listener::bind(parse_endpoint(":0"));
    listener::bind(parse_endpoint("[::1]:0"), {}, explicit_error);
    listener::bind(parse_endpoint(":0"), {.ipv6_only = true}, ipv6_only_error);
  }).join();
  if (!denied) GTEST_SKIP() << "the kernel has no seccomp filters";
  EXPECT_EQ(fallback.local_endpoint().address(), asio::ip::address_v4::any());
  EXPECT_EQ(explicit_error, asio::error::address_family_not_supported);
  EXPECT_EQ(ipv6_only_error, asio::error::address_family_not_supported);
}

TEST(Listener, AnEndpointInUseIsAnErrorAndReusePortSharesIt) {
  const listener first = listener::bind(any_port);
  std::error_code error;
  EXPECT_FALSE(listener::bind(first.local_endpoint(), {}, error).is_open());
  EXPECT_EQ(error, asio::error::address_in_use);
  listener::bind(first.local_endpoint(), {.reuse_port = true}, error);
  EXPECT_EQ(error, asio::error::address_in_use) << "the first one did not agree to share";
}

TEST(Listener, ReusePortSpreadsConnections) {
  const listen_options shared{.reuse_port = true};
  std::array<listener, 2> listeners = {listener::bind(any_port, shared), listener()};
  const endpoint where = listeners[0].local_endpoint();
  listeners[1] = listener::bind(where, shared);
  ASSERT_EQ(listeners[1].local_endpoint(), where);

  std::vector<stream> clients;
  for (int count = 0; count < 64; ++count) clients.push_back(stream::connect(where, patience()));
  std::size_t accepted_in_all = 0;
  for (listener& one : listeners) {
    std::size_t accepted = 0;
    while (accepted_in_all + accepted < clients.size()) {
      std::error_code error;
      if (!one.accept(long_ago(), error).is_open()) break;
      ++accepted;
    }
    EXPECT_GT(accepted, 0u);
    accepted_in_all += accepted;
  }
  EXPECT_EQ(accepted_in_all, clients.size());
}

// A service that restarts finds connections of its predecessor in TIME_WAIT on its port.
TEST(Listener, BindsAgainAfterItClosedConnections) {
  endpoint where;
  {
    listener first = listener::bind(any_port);
    where = first.local_endpoint();
    stream client = stream::connect(where, patience());
    first.accept(patience()).close();
    std::array<char, 1> text;
    std::error_code error;
    client.read_some(asio::buffer(text), error);
    EXPECT_EQ(error, asio::error::eof);
  }
  std::error_code error;
  listener::bind(where, {}, error);
  EXPECT_FALSE(error) << error.message();
}

TEST(Listener, BadEndpointsAreErrors) {
  std::error_code error;
  // A documentation address, which no machine has.
  const endpoint foreign = parse_endpoint("192.0.2.1:0");
  EXPECT_FALSE(listener::bind(foreign, {}, error).is_open());
  EXPECT_EQ(error, std::errc::address_not_available);
  try {
    listener::bind(foreign);
    FAIL() << "bound to " << to_string(foreign);
  } catch (const asio::system_error& failure) {
    EXPECT_EQ(std::string(failure.what()).find("listen at 192.0.2.1:0: "), 0u) << failure.what();
  }
}

TEST(Listener, AcceptHasADeadline) {
  listener quiet = listener::bind(any_port);
  std::error_code error;
  const deadline until = soon();
  EXPECT_FALSE(quiet.accept(until, error).is_open());
  EXPECT_EQ(error, asio::error::timed_out);
  EXPECT_TRUE(until.passed()) << "too early";
  try {
    quiet.accept(long_ago());
    FAIL() << "accepted nobody";
  } catch (const asio::system_error& failure) {
    EXPECT_EQ(failure.code(), asio::error::timed_out);
    EXPECT_EQ(std::string(failure.what()).find("accept: "), 0u) << failure.what();
  }
}

TEST(Listener, APassedDeadlineStillAcceptsWhoIsThere) {
  listener accepting = listener::bind(any_port);
  const stream client = stream::connect(accepting.local_endpoint(), patience());
  std::error_code error;
  EXPECT_EQ(accepting.accept(long_ago(), error).remote_endpoint(), client.local_endpoint());
  EXPECT_FALSE(error);
}

TEST(Listener, ThatIsNotOpenReportsBadDescriptor) {
  listener closed;
  std::error_code error;
  EXPECT_FALSE(closed.is_open());
  closed.stop();
  EXPECT_FALSE(closed.accept(patience(), error).is_open());
  EXPECT_EQ(error, asio::error::bad_descriptor);
}

TEST(Listener, MovesAndCloses) {
  listener first = listener::bind(any_port);
  const endpoint where = first.local_endpoint();
  listener second(std::move(first));
  EXPECT_FALSE(first.is_open());  // NOLINT(bugprone-use-after-move): what is left is promised
  EXPECT_EQ(second.local_endpoint(), where);
  EXPECT_TRUE(stream::connect(where, patience()).is_open());
  listener& same = second;
  second = std::move(same);
  EXPECT_TRUE(second.is_open());
  second = listener();
  std::error_code error;
  stream::connect(where, patience(), error);
  EXPECT_EQ(error, asio::error::connection_refused);
}

// Takes every descriptor that a limit leaves.
class DescriptorLimit : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0); }
  void TearDown() override { allow(before_.rlim_cur); }

  void allow(rlim_t count) {
    rlimit changed = before_;
    changed.rlim_cur = count;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &changed), 0);
  }

  // The lowest free descriptor is the one that comes next.
  void allow_no_more() {
    const int next = ::open("/", O_RDONLY | O_CLOEXEC);
    ASSERT_GE(next, 0);
    ::close(next);
    allow(static_cast<rlim_t>(next));
  }

  rlimit before_{};
};

TEST_F(DescriptorLimit, IsReportedAndLosesNoConnection) {
  listener accepting = listener::bind(any_port);
  const stream client = stream::connect(accepting.local_endpoint(), patience());
  std::error_code error;
  allow_no_more();
  EXPECT_FALSE(accepting.accept(patience(), error).is_open());
  EXPECT_EQ(error, asio::error::no_descriptors);
  stream::connect(accepting.local_endpoint(), patience(), error);
  EXPECT_EQ(error, asio::error::no_descriptors);
  listener::bind(any_port, {}, error);
  EXPECT_EQ(error, asio::error::no_descriptors);
  allow(before_.rlim_cur);
  EXPECT_EQ(accepting.accept(patience(), error).remote_endpoint(), client.local_endpoint());
  EXPECT_FALSE(error);
}

struct accept_error {
  int number;
  bool skipped;
};

class PendingError : public testing::TestWithParam<accept_error> {};

INSTANTIATE_TEST_SUITE_P(
    OfAccept, PendingError,
    testing::Values(accept_error{ECONNABORTED, true}, accept_error{EPROTO, true},
                    accept_error{ENOPROTOOPT, true}, accept_error{ENETDOWN, true},
                    accept_error{ENETUNREACH, true}, accept_error{EHOSTDOWN, true},
                    accept_error{EHOSTUNREACH, true}, accept_error{ENONET, true},
                    accept_error{EMFILE, false}, accept_error{ENFILE, false},
                    accept_error{ENOBUFS, false}, accept_error{ENOMEM, false},
                    accept_error{EPERM, false}, accept_error{EOPNOTSUPP, false}),
    [](const auto& values) { return std::string(::strerrorname_np(values.param.number)); });

// Each accept of this thread fails alike, so one that is skipped ends at the deadline, even one
// long past.
TEST_P(PendingError, IsSkippedOrReported) {
  listener accepting = listener::bind(any_port);
  const stream client = stream::connect(accepting.local_endpoint(), patience());
  bool denied = false;
  std::error_code error;
  std::thread([&] {
    const auto fd = static_cast<std::uint32_t>(accepting.native_handle());
    denied = call_filter::deny({SYS_accept4, fd}, static_cast<std::uint32_t>(GetParam().number));
    accepting.accept(long_ago(), error);
  }).join();
  if (!denied) GTEST_SKIP() << "the kernel has no seccomp filters";
  if (GetParam().skipped) {
    EXPECT_EQ(error, asio::error::timed_out);
  } else {
    EXPECT_EQ(error.value(), GetParam().number);
  }
}

}  // namespace
}  // namespace umcg::net
