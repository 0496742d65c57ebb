// SPDX-License-Identifier: MIT

// The PROXY protocol: what is a header, and what a listener makes of it. The clauses are those of
// proxy-protocol.txt.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "net/proxy_header_parser.hpp"
#include "umcg/net/listener.hpp"
#include "unit/http/guarded_bytes.hpp"
#include "unit/io/call_site.hpp"
#include "unit/net/loopback.hpp"

namespace umcg::net {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using loopback::patience;
using loopback::soon;

const endpoint any_port = parse_endpoint("127.0.0.1:0");
const std::string line = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n";

// --- the parser ---

// In memory that ends at a page that may not be touched.
header_result parse(std::string_view text, proxy_header& into) {
  static http::testing::guarded_bytes memory(8192);
  return parse_proxy_header(memory.hold(text), into);
}

header_outcome outcome_of(std::string_view text) {
  proxy_header header;
  return parse(text, header).outcome;
}

// Complete after exactly all of `text`, whatever follows, and incomplete before.
proxy_header expect_whole(std::string_view text) {
  proxy_header header;
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_EQ(parse(text.substr(0, size), header).outcome, header_outcome::incomplete) << size;
  }
  EXPECT_EQ(header.version, 0) << "is left alone until then";
  const header_result whole = {header_outcome::complete, text.size()};
  EXPECT_EQ(parse(text, header), whole);
  EXPECT_EQ(parse(std::string(text) + "\r\nGET", header), whole);
  return header;
}

TEST(ProxyLine, NamesBothEndpoints) {
  const proxy_header v4 = expect_whole(line);
  EXPECT_EQ(v4.version, 1);
  EXPECT_EQ(v4.source, parse_endpoint("192.0.2.1:56324"));
  EXPECT_EQ(v4.destination, parse_endpoint("198.51.100.2:443"));
  const proxy_header v6 = expect_whole("PROXY TCP6 2001:db8::1 ::1 0 65535\r\n");
  EXPECT_EQ(v6.source, parse_endpoint("[2001:db8::1]:0"));
  EXPECT_EQ(v6.destination, parse_endpoint("[::1]:65535"));
}

TEST(ProxyLine, OfAnUnknownProtocolSaysNothingElse) {
  for (const char* text :
       {"PROXY UNKNOWN\r\n", "PROXY UNKNOWN \r\n", "PROXY UNKNOWN a b c d\r\n"}) {
    const proxy_header header = expect_whole(text);
    EXPECT_EQ(header.version, 1);
    EXPECT_FALSE(header.source);
    EXPECT_FALSE(header.destination);
  }
}

TEST(ProxyLine, HasAtMost107Bytes) {
  const std::string start = "PROXY UNKNOWN ";
  expect_whole(start + std::string(107 - start.size() - 2, 'f') + "\r\n");
  EXPECT_EQ(outcome_of(start + std::string(106 - start.size(), 'f')), header_outcome::incomplete);
  EXPECT_EQ(outcome_of(start + std::string(107 - start.size(), 'f')), header_outcome::invalid);
  EXPECT_EQ(outcome_of(start + std::string(106 - start.size(), 'f') + "\r\n"),
            header_outcome::invalid);
}

TEST(ProxyLine, IsStrict) {
  for (const char* text : {
           "GET / HTTP/1.1\r\n",
           "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
           "PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
           "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
           "PROXY TCP4\r\n",
           "PROXY \r\n",
           "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
           "PROXY UNKNOWNS\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rx\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n\r\n",
           "PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
           "PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
           "PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n",
           "PROXY TCP4 ::1 192.0.2.2 1 2\r\n",
           "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
           "PROXY TCP6 ::1%lo ::1 1 2\r\n",
           "PROXY TCP6 1:2:3 ::1 1 2\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2  1\r\n",
       }) {
    EXPECT_EQ(outcome_of(text), header_outcome::invalid) << text;
  }
}

std::string big_endian(std::size_t number) {
  return {static_cast<char>(number >> 8), static_cast<char>(number & 255)};
}

// A header of version 2.
std::string block(char command, char family, const std::string& content) {
  return "\r\n\r\n\0\r\nQUIT\n"s + command + family + big_endian(content.size()) + content;
}

std::string vector_of(int type, const std::string& value) {
  return static_cast<char>(type) + big_endian(value.size()) + value;
}

const std::string v4_addresses = "\xC0\x00\x02\x01\xC6\x33\x64\x02\xDC\x04\x01\xBB"s;
const std::string v6_addresses = "\x20\x01\x0D\xB8"s + std::string(11, '\0') + "\x01"s +
                                 std::string(15, '\0') + "\x01\x00\x07\xFF\xFF"s;

TEST(ProxyBlock, NamesBothEndpoints) {
  const proxy_header v4 = expect_whole(block('\x21', '\x11', v4_addresses));
  EXPECT_EQ(v4.version, 2);
  EXPECT_FALSE(v4.local);
  EXPECT_EQ(v4.source, parse_endpoint("192.0.2.1:56324"));
  EXPECT_EQ(v4.destination, parse_endpoint("198.51.100.2:443"));
  const proxy_header v6 = expect_whole(block('\x21', '\x21', v6_addresses));
  EXPECT_EQ(v6.source, parse_endpoint("[2001:db8::1]:7"));
  EXPECT_EQ(v6.destination, parse_endpoint("[::1]:65535"));
}

TEST(ProxyBlock, OfTheProxyItselfIsSkipped) {
  for (const std::string& content : {""s, v4_addresses, "whatever it is"s}) {
    const proxy_header header = expect_whole(block('\x20', '\xFF', content));
    EXPECT_TRUE(header.local);
    EXPECT_FALSE(header.source);
    EXPECT_TRUE(header.vectors.empty());
  }
}

TEST(ProxyBlock, OfOtherProtocolsHasNoEndpoints) {
  const std::string paths(216, 'p');
  for (const auto& [family, content] :
       std::vector<std::pair<char, std::string>>{{'\x00', ""},
                                                 {'\x10', v4_addresses},
                                                 {'\x12', v4_addresses},
                                                 {'\x22', v6_addresses},
                                                 {'\x31', paths},
                                                 {'\x32', paths}}) {
    const proxy_header header = expect_whole(block('\x21', family, content));
    EXPECT_FALSE(header.local);
    EXPECT_FALSE(header.source);
  }
}

TEST(ProxyBlock, VectorsAreKept) {
  const std::string vectors =
      vector_of(0x02, "example.org") + vector_of(0xE0, "") + vector_of(0x02, "second");
  const proxy_header header = expect_whole(block('\x21', '\x11', v4_addresses + vectors));
  EXPECT_EQ(header.vectors, vectors);
  EXPECT_EQ(header.find(proxy_header::vector_type::authority), "example.org");
  EXPECT_EQ(header.find(proxy_header::vector_type{0xE0}), "");
  EXPECT_EQ(header.find(proxy_header::vector_type::alpn), std::nullopt);
}

// The right one was computed by another program, which gives "123456789" its 0xE3069283.
TEST(ProxyBlock, AChecksumHasToBeRight) {
  const auto with = [](const std::string& sum) {
    return block('\x21', '\x11', v4_addresses + vector_of(0x04, "pad") + vector_of(0x03, sum));
  };
  const std::string right = "\xE9\xDC\x27\x4C"s;
  expect_whole(with(right));
  EXPECT_EQ(outcome_of(with("\x00\x00\x00\x00"s)), header_outcome::invalid);
  EXPECT_EQ(outcome_of(with("\xE9\xDC\x27"s)), header_outcome::invalid);
}

TEST(ProxyBlock, IsStrict) {
  const std::string good = v4_addresses + vector_of(0x04, "x");
  for (const std::string& text : {
           block('\x11', '\x11', good),                // version 1
           block('\x22', '\x11', good),                // no such command
           block('\x21', '\x41', good),                // nor family
           block('\x21', '\x13', good),                // nor transport
           block('\x21', '\x11', good.substr(0, 11)),  // half an address
           block('\x21', '\x21', v4_addresses),
           block('\x21', '\x11', good.substr(0, good.size() - 1)),
           block('\x21', '\x11', good + '\x04'),
           block('\x21', '\x00', "x"),
           block('\x21', '\x00', std::string(4097, '\0')),
       }) {
    EXPECT_EQ(outcome_of(text), header_outcome::invalid) << ::testing::PrintToString(text);
  }
  std::string other = block('\x21', '\x11', good);
  other[11] = 'X';
  EXPECT_EQ(outcome_of(other), header_outcome::invalid);
  EXPECT_EQ(outcome_of(other.substr(0, 11)), header_outcome::incomplete);
}

// --- ranges of addresses ---

TEST(AddressRange, ContainsWhatBeginsWithItsBits) {
  const auto contains = [](const char* range, const char* address) {
    return parse_address_range(range).contains(asio::ip::make_address(address));
  };
  EXPECT_TRUE(contains("10.0.0.0/8", "10.255.0.1"));
  EXPECT_FALSE(contains("10.0.0.0/8", "11.0.0.1"));
  EXPECT_TRUE(contains("192.0.2.64/26", "192.0.2.127"));
  EXPECT_FALSE(contains("192.0.2.64/26", "192.0.2.128"));
  EXPECT_TRUE(contains("192.0.2.1", "::ffff:192.0.2.1"));
  EXPECT_FALSE(contains("192.0.2.1", "192.0.2.2"));
  EXPECT_TRUE(contains("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(contains("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_TRUE(contains("0.0.0.0/0", "203.0.113.9"));
  EXPECT_FALSE(contains("0.0.0.0/0", "::1"));
  EXPECT_TRUE(contains("::/0", "::1"));
  EXPECT_FALSE(address_range().contains(asio::ip::make_address("::1")));
  std::error_code error;
  for (const char* text : {"", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", "10.0.0.0/8x", "10.0.0/8",
                           "::1%lo", "::/129", "name/8"}) {
    parse_address_range(text, error);
    EXPECT_EQ(error, asio::error::invalid_argument) << text;
  }
}

// --- listeners ---

class ProxiedListener : public testing::site_test {
 protected:
  static listener trusting(const char* range, proxy_protocol proxy = {}) {
    proxy.trusted = {parse_address_range(range)};
    return listener::bind(any_port, {.proxy = proxy});
  }

  static stream client_of(const listener& of, std::string_view bytes = {}) {
    stream client = stream::connect(of.local_endpoint(), patience());
    client.expires_at(patience());
    client.write(asio::buffer(bytes));
    return client;
  }

  std::array<char, 16> text_{};
  std::error_code error_;
};

INSTANTIATE_TEST_SUITE_P(At, ProxiedListener, testing::all_sites(), testing::site_name);

TEST_P(ProxiedListener, StreamsHaveTheAnnouncedEndpointAndTheirBytes) {
  listener accepting = trusting("127.0.0.0/8");
  const std::string binary = block('\x21', '\x11', v4_addresses + vector_of(0x05, "id"));
  for (const std::string& header : {line, binary}) {
    const stream client = client_of(accepting, header + "GET");
    site().run([&] {
      stream accepted = accepting.accept(patience());
      stream peer = std::move(accepted);
      peer.expires_at(patience());
      EXPECT_EQ(peer.remote_endpoint(), parse_endpoint("192.0.2.1:56324"));
      EXPECT_EQ(peer.local_endpoint(), accepting.local_endpoint());
      EXPECT_EQ(peer.announced()->destination, parse_endpoint("198.51.100.2:443"));
      EXPECT_EQ(peer.read_some(asio::buffer(text_)), 3u);
      EXPECT_EQ(std::string_view(text_.data(), 3), "GET");
      peer.close();
      EXPECT_FALSE(peer.announced());
    });
  }
}

TEST_P(ProxiedListener, WithoutAnAnnouncedEndpointTheConnectionsOwnCounts) {
  listener accepting = trusting("127.0.0.1");
  for (const std::string& header : {"PROXY UNKNOWN\r\n"s, block('\x20', '\x00', "")}) {
    const stream client = client_of(accepting, header);
    site().run([&] {
      const stream peer = accepting.accept(patience());
      EXPECT_EQ(peer.remote_endpoint(), client.local_endpoint());
      EXPECT_TRUE(peer.announced());
    });
  }
}

TEST_P(ProxiedListener, AHeaderMayComeByteByByte) {
  listener accepting = trusting("127.0.0.1");
  for (const std::string& header : {line, block('\x21', '\x21', v6_addresses)}) {
    stream client = client_of(accepting);
    stream peer;
    site().start([&] { peer = accepting.accept(patience()); });
    for (const char& each : header) client.write(asio::buffer(&each, 1));
    site().join();
    EXPECT_TRUE(peer.announced()->source);
  }
}

TEST_P(ProxiedListener, NobodyWaitsForAnothersHeader) {
  listener accepting = trusting("127.0.0.1");
  stream slow = client_of(accepting, line.substr(0, 9));
  const stream never = client_of(accepting);
  for (int turn = 0; turn < 3; ++turn) {
    const stream client = client_of(accepting, line);
    site().run([&] { EXPECT_TRUE(accepting.accept(patience()).announced()); });
  }
  site().run([&] { accepting.accept(soon(), error_); });
  EXPECT_EQ(error_, asio::error::timed_out);
  slow.write(asio::buffer(line.substr(9)));
  site().run([&] { EXPECT_TRUE(accepting.accept(patience()).announced()); });
}

// What the other side of a connection that was closed here sees.
bool was_closed(stream& client) {
  std::array<char, 1> byte;
  std::error_code error;
  client.read_some(asio::buffer(byte), error);
  return error == asio::error::eof || error == asio::error::connection_reset;
}

TEST_P(ProxiedListener, OtherBeginningsAndNoneAreClosed) {
  listener accepting = trusting("127.0.0.1", {.header_duration = 30ms});
  std::vector<stream> clients;
  clients.push_back(client_of(accepting, "GET / HTTP/1.1\r\n\r\n"));
  clients.push_back(client_of(accepting, "PROXY TCP4 nonsense\r\n"));
  clients.push_back(client_of(accepting, line.substr(0, 20)));
  clients.push_back(client_of(accepting));
  stream gone = client_of(accepting, line.substr(0, 20));
  gone.shutdown_send();
  clients.push_back(std::move(gone));
  site().start([&] { accepting.accept(deadline::never(), error_); });
  for (stream& each : clients) EXPECT_TRUE(was_closed(each));
  accepting.stop();
  site().join();
  EXPECT_EQ(error_, asio::error::operation_aborted);
}

TEST_P(ProxiedListener, OthersThanTrustedOnesAnnounceNothing) {
  listener closing = trusting("192.0.2.0/24");
  stream refused = client_of(closing, line);
  site().start([&] { closing.accept(deadline::never(), error_); });
  EXPECT_TRUE(was_closed(refused));
  closing.stop();
  site().join();

  listener open = trusting("192.0.2.0/24", {.others_pass = true});
  const stream direct = client_of(open, line);
  site().run([&] {
    stream peer = open.accept(patience());
    peer.expires_at(patience());
    EXPECT_FALSE(peer.announced());
    EXPECT_EQ(peer.remote_endpoint(), direct.local_endpoint());
    EXPECT_EQ(peer.read_some(asio::buffer(text_)), text_.size());
    EXPECT_EQ(std::string_view(text_.data(), 5), "PROXY");
  });
}

TEST_P(ProxiedListener, StopAndDeadlinesEndEveryAccept) {
  listener accepting = trusting("127.0.0.1");
  std::array<std::error_code, 4> errors;
  for (std::error_code& each : errors) {
    site().start([&] { accepting.accept(deadline::never(), each); });
  }
  site().wait_until_blocked();
  accepting.stop();
  site().join();
  for (const std::error_code& each : errors) EXPECT_EQ(each, asio::error::operation_aborted);
  site().run([&] { accepting.accept(patience(), error_); });
  EXPECT_EQ(error_, asio::error::operation_aborted);
}

TEST_P(ProxiedListener, UnixPeersAreTrusted) {
  const auto where = parse_unix_endpoint("@umcg-proxy-test-" + std::to_string(::getpid()));
  listener accepting = listener::bind(where, {.proxy = proxy_protocol()});
  stream client = stream::connect(where, patience());
  client.write(asio::buffer(line));
  site().run([&] {
    const stream peer = accepting.accept(patience());
    EXPECT_EQ(peer.remote_endpoint(), parse_endpoint("192.0.2.1:56324"));
  });
  site().start([&] { accepting.accept(deadline::never(), error_); });
  site().wait_until_blocked();
  accepting.stop();
  site().join();
  EXPECT_EQ(error_, asio::error::operation_aborted);
}

TEST(ProxyProtocol, SomebodyHasToBeTrusted) {
  std::error_code error;
  listener::bind(any_port, {.proxy = proxy_protocol()}, error);
  EXPECT_EQ(error, asio::error::invalid_argument);
}

}  // namespace
}  // namespace umcg::net
