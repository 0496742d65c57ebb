// SPDX-License-Identifier: MIT

// Names become endpoints and connections, and nothing takes longer than it may: lookups that hang
// are played by a call that waits for the test.

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "net/address_order.hpp"
#include "net/lookups.hpp"
#include "umcg/cancellation.hpp"
#include "umcg/deadline_scope.hpp"
#include "umcg/net/connect.hpp"
#include "umcg/sync/event.hpp"
#include "unit/io/call_site.hpp"
#include "unit/net/loopback.hpp"

namespace umcg::net {
namespace {

using namespace std::chrono_literals;
using loopback::patience;
using loopback::soon;

const endpoint any_port = parse_endpoint("127.0.0.1:0");

std::string port_of(const listener& of) { return std::to_string(of.local_endpoint().port()); }

// A listener that does not answer: its queue is full.
class silent_listener {
 public:
  silent_listener() {
    std::error_code error;
    while (!error) queued_.push_back(stream::connect(where(), soon(), error));
  }
  endpoint where() const { return listener_.local_endpoint(); }

 private:
  listener listener_ = listener::bind(any_port, {.backlog = 0});
  std::vector<stream> queued_;
};

// Where nobody listens any more.
endpoint refusing() { return listener::bind(any_port).local_endpoint(); }

// Of sockets and epoll sets: carriers, which come and go, have files.
std::ptrdiff_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::count_if(begin(all), end(all), [](const auto& each) {
    std::error_code gone;
    return !read_symlink(each.path(), gone).string().starts_with('/') && !gone;
  });
}

class Names : public testing::site_test {
 protected:
  std::error_code error_;
};

INSTANTIATE_TEST_SUITE_P(At, Names, testing::all_sites(), testing::site_name);

TEST_P(Names, AddressesAreReadOnTheSpot) {
  site().run([&] {
    for (const char* text : {"127.0.0.1:443", "[::1]:443", "[fe80::1%1]:443"}) {
      const endpoint expected = parse_endpoint(text);
      const resolved found = resolve(expected.address().to_string(), "443", loopback::long_ago());
      ASSERT_EQ(found.size(), 1u);
      EXPECT_EQ(found.begin()->endpoint(), expected);
    }
    EXPECT_EQ(resolve("192.0.2.1", "").begin()->endpoint().port(), 0);
  });
}

TEST_P(Names, NamesAreLookedUp) {
  site().run([&] {
    const resolved found = resolve("localhost", "8080", patience());
    ASSERT_FALSE(found.empty());
    for (const auto& entry : found) {
      EXPECT_TRUE(entry.endpoint().address().is_loopback());
      EXPECT_EQ(entry.endpoint().port(), 8080);
    }
    EXPECT_TRUE(resolve("localhost", "no such service", patience(), error_).empty());
    EXPECT_EQ(error_, asio::error::service_not_found);
    resolve(std::string_view("local\0host", 10), "80", patience(), error_);
    EXPECT_EQ(error_, asio::error::invalid_argument);
    EXPECT_THROW(resolve("localhost", "no such service", patience()), std::system_error);
  });
}

// A lookup that takes as long as the test wants, on whichever thread it is.
sync::event answer_now;

int slow_lookup(const char* host, const char*, const addrinfo* hints, addrinfo** found) {
  answer_now.wait();
  if (std::string(host) == "unknown") return EAI_NONAME;
  addrinfo numeric = *hints;
  numeric.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  return ::getaddrinfo("192.0.2.7", "80", &numeric, found);
}

constexpr unsigned places = 1;

// Never destroyed, as the real one: threads may still be about to leave it.
lookups& slow_lookups() {
  static lookups& all = *new lookups(&slow_lookup, places);
  return all;
}

class SlowNames : public Names {
 protected:
  SlowNames() { answer_now.reset(); }
  ~SlowNames() override {
    answer_now.set();
    EXPECT_TRUE(testing::becomes_true([] { return slow_lookups().places() == places; }));
  }
};

INSTANTIATE_TEST_SUITE_P(At, SlowNames, testing::all_sites(), testing::site_name);

TEST_P(SlowNames, AnswersCome) {
  for (const char* host : {"known", "unknown"}) {
    answer_now.reset();
    resolved found;
    site().start([&] { found = slow_lookups().find(host, "80", patience(), error_); });
    site().wait_until_blocked();
    answer_now.set();
    site().join();
    if (host == std::string("known")) {
      EXPECT_FALSE(error_) << error_.message();
      EXPECT_EQ(found.begin()->endpoint(), parse_endpoint("192.0.2.7:80"));
    } else {
      EXPECT_EQ(error_, asio::error::host_not_found);
    }
  }
}

TEST_P(SlowNames, DeadlinesEndTheWaitAndLeaveTheLookupBehind) {
  site().run([&] {
    for (unsigned each = 0; each < places; ++each) {
      EXPECT_TRUE(slow_lookups().find("known", "80", soon(), error_).empty());
      EXPECT_EQ(error_, asio::error::timed_out);
    }
    EXPECT_EQ(slow_lookups().places(), 0u);
    // No more than that: this one does not begin.
    slow_lookups().find("known", "80", soon(), error_);
    EXPECT_EQ(error_, asio::error::timed_out);
  });
  answer_now.set();
  site().run([&] {
    EXPECT_EQ(slow_lookups().find("known", "80", patience(), error_).size(), 1u);
    EXPECT_FALSE(error_) << error_.message();
  });
}

TEST_P(SlowNames, ScopesEndTheWait) {
  cancellation_source stopping;
  site().start([&] {
    const cancellation_scope scope(stopping.token());
    slow_lookups().find("known", "80", deadline::never(), error_);
  });
  site().wait_until_blocked();
  stopping.cancel();
  site().join();
  EXPECT_EQ(error_, asio::error::operation_aborted);
  site().run([&] {
    const deadline_scope bounded(soon());
    slow_lookups().find("known", "80", deadline::never(), error_);
    EXPECT_EQ(error_, asio::error::timed_out);
  });
}

TEST(LookupErrors, AreAsiosWhereItHasOne) {
  EXPECT_FALSE(lookup_error(0, 0));
  EXPECT_EQ(lookup_error(EAI_NODATA, 0), asio::error::no_data);
  EXPECT_EQ(lookup_error(EAI_AGAIN, 0), asio::error::host_not_found_try_again);
  EXPECT_EQ(lookup_error(EAI_FAIL, 0), asio::error::no_recovery);
  EXPECT_EQ(lookup_error(EAI_MEMORY, 0), asio::error::no_memory);
  EXPECT_EQ(lookup_error(EAI_SYSTEM, EMFILE), asio::error::no_descriptors);
  const std::error_code other = lookup_error(EAI_OVERFLOW, 0);
  EXPECT_EQ(other.category(), resolve_category());
  EXPECT_EQ(other.message(), ::gai_strerror(EAI_OVERFLOW));
}

TEST(AddressOrder, FamiliesTakeTurns) {
  const auto order = [](const std::vector<const char*>& sorted) {
    std::vector<endpoint> endpoints;
    for (const char* each : sorted) endpoints.push_back(parse_endpoint(each));
    std::string text;
    for (const endpoint& each : alternating(endpoints)) text += to_string(each) + ' ';
    return text;
  };
  EXPECT_EQ(order({"[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "1.1.1.2:1"}),
            "[::1]:1 1.1.1.1:1 [::2]:1 1.1.1.2:1 [::3]:1 ");
  EXPECT_EQ(order({"1.1.1.1:1", "1.1.1.2:1", "[::1]:1"}), "1.1.1.1:1 [::1]:1 1.1.1.2:1 ");
  EXPECT_EQ(order({"1.1.1.2:1", "1.1.1.1:1"}), "1.1.1.2:1 1.1.1.1:1 ");
  EXPECT_EQ(order({}), "");
}

TEST_P(Names, ConnectsByName) {
  listener accepting = listener::bind(any_port);
  site().run([&] {
    stream peer = connect("localhost", port_of(accepting), patience());
    EXPECT_EQ(peer.remote_endpoint(), accepting.local_endpoint());
    EXPECT_TRUE(peer.get_option<option::tcp_no_delay>());
    EXPECT_FALSE(loopback::has_flag(peer.native_handle(), F_GETFL, O_NONBLOCK));
    EXPECT_TRUE(loopback::has_flag(peer.native_handle(), F_GETFD, FD_CLOEXEC));
    stream server = accepting.accept(patience());
    server.expires_at(patience());
    peer.write(asio::buffer("hi", 2));
    std::array<char, 8> text{};
    EXPECT_EQ(server.read_some(asio::buffer(text)), 2u);
  });
}

TEST_P(Names, AnAddressThatDoesNotAnswerIsNotWaitedFor) {
  const silent_listener silent;
  listener accepting = listener::bind(any_port);
  const std::vector<endpoint> addresses = {silent.where(), accepting.local_endpoint()};
  const std::ptrdiff_t before = open_descriptors();
  site().run([&] {
    const auto begin = deadline::clock::now();
    const stream peer = connect(addresses, patience(), {.attempt_delay = 50ms}, error_);
    EXPECT_FALSE(error_) << error_.message();
    EXPECT_EQ(peer.remote_endpoint(error_), accepting.local_endpoint());
    EXPECT_GE(deadline::clock::now() - begin, 50ms);
  });
  EXPECT_EQ(open_descriptors(), before) << "the other attempt has ended";
}

TEST_P(Names, AfterAFailureTheNextOneBeginsAtOnce) {
  listener accepting = listener::bind(any_port);
  const std::vector<endpoint> addresses = {refusing(), refusing(), accepting.local_endpoint()};
  site().run([&] {
    const stream peer = connect(addresses, patience(), {.attempt_delay = 1h}, error_);
    EXPECT_FALSE(error_) << error_.message();
    EXPECT_EQ(peer.remote_endpoint(error_), accepting.local_endpoint());
  });
}

TEST_P(Names, ConnectFailsWhenAllHaveFailed) {
  const std::array<endpoint, 2> addresses = {refusing(), refusing()};
  site().run([&] {
    EXPECT_FALSE(connect(addresses, patience(), {}, error_).is_open());
    EXPECT_EQ(error_, asio::error::connection_refused);
    connect(std::span<const endpoint>(), patience(), {}, error_);
    EXPECT_EQ(error_, asio::error::invalid_argument);
    connect("localhost", "no such service", patience(), {}, error_);
    EXPECT_EQ(error_, asio::error::service_not_found);
    EXPECT_THROW(connect(addresses, patience()), std::system_error);
    EXPECT_THROW(connect("localhost", std::to_string(addresses[0].port()), patience()),
                 std::system_error);
  });
}

TEST_P(Names, ConnectEndsAtItsDeadlineAndInScopes) {
  const silent_listener silent;
  const std::array<endpoint, 2> addresses = {silent.where(), silent.where()};
  const std::ptrdiff_t before = open_descriptors();
  site().run([&] {
    connect(addresses, soon(), {.attempt_delay = 1ms}, error_);
    EXPECT_EQ(error_, asio::error::timed_out);
    const deadline_scope bounded(soon());
    connect(addresses, patience(), {}, error_);
    EXPECT_EQ(error_, asio::error::timed_out);
  });
  cancellation_source stopping;
  site().start([&] {
    const cancellation_scope scope(stopping.token());
    connect(addresses, patience(), {.attempt_delay = 1h}, error_);
  });
  site().wait_until_blocked();
  stopping.cancel();
  site().join();
  EXPECT_EQ(error_, asio::error::operation_aborted);
  EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace umcg::net
