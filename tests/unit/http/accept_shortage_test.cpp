// SPDX-License-Identifier: MIT

// What happens to the connections that cannot be accepted, under a low limit on descriptors: they
// wait, then they are closed, and when there is room again they are accepted. The clock is ours.

#include "http/accept_shortage.hpp"

#include <fcntl.h>
#include <sys/resource.h>

#include <array>
#include <chrono>
#include <vector>

#include <gtest/gtest.h>

#include "sanitizer.hpp"
#include "unit/net/loopback.hpp"

namespace umcg::http {
namespace {

using net::loopback::patience;
using std::chrono::milliseconds;
using std::chrono::seconds;

class shortage : public ::testing::Test {
 protected:
  shortage() : accepting_(net::listener::bind(net::parse_endpoint("127.0.0.1:0"))) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
  }
  ~shortage() override { ::setrlimit(RLIMIT_NOFILE, &before_); }

  // UndefinedBehaviorSanitizer needs descriptors of its own to check a virtual call.
  void SetUp() override {
    if (umcg::testing::address_sanitizer) GTEST_SKIP() << "the sanitizer would run out too";
  }

  net::stream connect() {
    net::stream client = net::stream::connect(accepting_.local_endpoint(), patience());
    client.expires_at(patience());
    return client;
  }

  // From here on this process gets no further descriptor.
  void run_out() const {
    const int next = ::open("/", O_RDONLY | O_CLOEXEC);
    ::close(next);
    const rlimit none{.rlim_cur = static_cast<rlim_t>(next), .rlim_max = before_.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  }

  // One try to accept, `after` the first one; what is logged then.
  std::string try_at(std::chrono::milliseconds after) {
    std::error_code error;
    const net::stream accepted = accepting_.accept(deadline::after(seconds(-1)), error);
    if (error) return under_test_.goes_on(accepting_, error, begin_ + after);
    return under_test_.over(begin_ + after);
  }

  static std::error_code read_one(net::stream& from) {
    std::array<char, 1> byte;
    std::error_code error;
    from.read_some(asio::buffer(byte), error);
    return error;
  }

  net::listener accepting_;
  accept_shortage under_test_{"here"};
  const accept_shortage::time_point begin_ = deadline::clock::now();
  rlimit before_{};
};

TEST_F(shortage, says_so_once_a_second_and_when_it_is_over) {
  const net::stream first = connect();
  const net::stream second = connect();
  run_out();
  EXPECT_EQ(try_at(milliseconds(0)),
            "umcg: service at here: cannot accept: Too many open files (raise ulimit -n)\n");
  EXPECT_EQ(try_at(milliseconds(500)), "");
  EXPECT_EQ(try_at(milliseconds(999)), "");
  EXPECT_NE(try_at(milliseconds(1000)).find(", for 1 s\n"), std::string::npos);
  EXPECT_EQ(try_at(milliseconds(1900)), "");
  EXPECT_NE(try_at(milliseconds(2100)).find(", for 2 s\n"), std::string::npos);
  ::setrlimit(RLIMIT_NOFILE, &before_);
  EXPECT_EQ(try_at(milliseconds(2500)), "umcg: service at here: accepts again after 2 s\n");
  EXPECT_EQ(try_at(milliseconds(2600)), "") << "the second one: there is no shortage";
}

TEST_F(shortage, that_comes_and_goes_says_no_more) {
  net::stream clients[] = {connect(), connect(), connect()};
  run_out();
  EXPECT_NE(try_at(milliseconds(0)), "");
  ::setrlimit(RLIMIT_NOFILE, &before_);
  EXPECT_EQ(try_at(milliseconds(100)), "");
  run_out();
  EXPECT_EQ(try_at(milliseconds(200)), "");
  ::setrlimit(RLIMIT_NOFILE, &before_);
  EXPECT_EQ(try_at(milliseconds(300)), "");
}

TEST_F(shortage, that_lasts_closes_who_waits_and_nobody_else) {
  net::stream served = connect();
  net::stream server = accepting_.accept(patience());
  std::vector<net::stream> waiting;
  for (int i = 0; i < 20; ++i) waiting.push_back(connect());
  run_out();
  try_at(milliseconds(0));
  try_at(milliseconds(4900));
  waiting.front().expires_at(net::loopback::soon());
  EXPECT_EQ(read_one(waiting.front()), asio::error::timed_out) << "it was not left waiting";
  waiting.front().expires_at(patience());
  EXPECT_NE(try_at(milliseconds(6000)).find("for 6 s; closed 20 connections that waited\n"),
            std::string::npos);
  for (net::stream& each : waiting) EXPECT_EQ(read_one(each), asio::error::eof);
  // The next ones too, although the reserve was used: it was taken back.
  waiting.clear();
  ::setrlimit(RLIMIT_NOFILE, &before_);
  waiting.push_back(connect());
  run_out();
  EXPECT_EQ(try_at(milliseconds(6100)), "");
  EXPECT_EQ(read_one(waiting.front()), asio::error::eof);

  server.write(asio::buffer("x", 1));
  EXPECT_FALSE(read_one(served)) << "it was not served on";
  ::setrlimit(RLIMIT_NOFILE, &before_);
  const net::stream later = connect();
  EXPECT_EQ(try_at(milliseconds(6200)),
            "umcg: service at here: accepts again after 6 s; closed 1 connection that waited\n");
}

}  // namespace
}  // namespace umcg::http
