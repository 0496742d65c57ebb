// SPDX-License-Identifier: MIT

#include "httpd/configuration.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "httpd/schema.hpp"

namespace httpd {
namespace {

using namespace std::chrono_literals;
using lines = std::vector<std::string>;

lines problems_in(const std::string& text) {
  configuration unused;
  return parse_configuration(text, "a.toml", unused);
}

TEST(configuration, is_the_defaults_without_a_line) {
  configuration settings;
  EXPECT_EQ(parse_configuration("", "a.toml", settings), lines());
  EXPECT_EQ(to_toml(settings), to_toml({}));
  EXPECT_EQ(settings.listen, "127.0.0.1:8080");
}

TEST(configuration, takes_every_kind_of_value) {
  configuration settings;
  EXPECT_EQ(parse_configuration("listen = '[::1]:80'\n"
                                "servers = 256\n"
                                "kernel = 'futex'\n"
                                "server_name = 'umcg \"x\" \\'\n"
                                "drain_timeout = 'never'\n"
                                "[limits]\n"
                                "header_size = '256B'\n"
                                "handler_timeout = '24h'\n",
                                "a.toml", settings),
            lines());
  EXPECT_EQ(settings.listen, "[::1]:80");
  EXPECT_EQ(settings.service.servers, 256U);
  EXPECT_EQ(settings.service.kernel, "futex");
  EXPECT_EQ(settings.service.server_name, "umcg \"x\" \\");
  EXPECT_EQ(settings.service.drain_duration, std::chrono::milliseconds::max());
  EXPECT_EQ(settings.service.limits.header_bytes, 256U);
  EXPECT_EQ(settings.service.limits.handler_duration, 24h);
  configuration again;
  EXPECT_EQ(parse_configuration(to_toml(settings), "b.toml", again), lines());
  EXPECT_EQ(to_toml(again), to_toml(settings));
}

TEST(configuration, accepts_a_key_with_its_table_too) {
  configuration settings;
  EXPECT_EQ(parse_configuration("limits.body_size = '2KiB'", "a.toml", settings), lines());
  EXPECT_EQ(settings.service.limits.body_bytes, 2048U);
}

// Each key changes its own setting and no other.
TEST(configuration, gives_each_key_a_setting_of_its_own) {
  const std::map<std::string, std::string> others = {{"listen", R"("[::]:1")"},
                                                     {"servers", "3"},
                                                     {"kernel", R"("native")"},
                                                     {"reactor", R"("epoll")"},
                                                     {"quantum", R"("17ms")"},
                                                     {"hand_off.watch", R"("off")"},
                                                     {"hand_off.tick", R"("17ms")"},
                                                     {"server_name", R"("x y")"},
                                                     {"dump_signal", R"("SIGHUP")"},
                                                     {"tls.certificate", R"(["/dev/null"])"},
                                                     {"tls.key", R"(["/dev/null", ""])"},
                                                     {"tls.ocsp_staple", R"(["", "/dev/null"])"},
                                                     {"tls.client_ca", R"("/dev/null")"},
                                                     {"tls.client_certificates", R"("require")"},
                                                     {"tls.version_min", R"("1.3")"},
                                                     {"tls.session_tickets", R"("off")"},
                                                     {"proxy.trusted", R"(["10.0.0.0/8"])"},
                                                     {"proxy.others", R"("pass")"}};
  for (const key& each : schema()) {
    std::string value = "17";
    if (others.contains(each.name)) value = others.at(each.name);
    if (each.name.ends_with("_size")) value = R"("17KiB")";
    if (each.name.ends_with("_timeout")) value = R"("17ms")";
    configuration settings;
    EXPECT_EQ(parse_configuration(each.name + " = " + value, "a.toml", settings), lines());
    std::string expected;
    for (const key& one : schema()) {
      expected += one.name + " = " + (&one == &each ? value : one.value({})) + '\n';
    }
    EXPECT_EQ(to_toml(settings), expected);
  }
}

struct bad_line {
  const char* text;
  const char* problem;
};

constexpr bad_line bad_lines[] = {
    // unknown key
    {"lisen = ':80'", "lisen: unknown key; did you mean listen?"},
    {"Listen = ':80'", "Listen: unknown key; did you mean listen?"},
    {"drain_time = '1s'", "drain_time: unknown key; did you mean drain_timeout?"},
    {"header_size = '1KiB'", "header_size: unknown key; did you mean limits.header_size?"},
    {"limits.listen = ':80'", "limits.listen: unknown key; did you mean listen?"},
    {"limits.headr_size = '1KiB'",
     "limits.headr_size: unknown key; did you mean limits.header_size?"},
    {"\"limits.body_size\" = '1KiB'",
     "\"limits.body_size\": unknown key; did you mean limits.body_size?"},
    {"colour = 1",
     "colour: unknown key (known: listen, servers, kernel, reactor, quantum, server_name, "
     "drain_timeout, dump_signal)"},
    {"\"\\u001b[2J\" = 1",
     "\"\\u001b[2J\": unknown key (known: listen, servers, kernel, reactor, quantum, server_name, "
     "drain_timeout, dump_signal)"},
    {"[limit]", "limit: unknown table; did you mean limits?"},
    {"[colours]", "colours: unknown table (known: hand_off, tls, proxy, limits)"},
    {"[limits.header_siz]", "limits.header_siz: unknown key; did you mean limits.header_size?"},
    // files
    {"tls.key = '/nowhere/a.key'",
     "tls.key: \"/nowhere/a.key\" cannot be read (a file, or an array of them)"},
    {"tls.key = ['/dev/null', '/nowhere/a.key']",
     "tls.key: [\"/dev/null\", \"/nowhere/a.key\"] cannot be read (a file, or an array of them)"},
    {"tls.certificate = ['/dev/null', 3]",
     "tls.certificate: an array is neither (a file, or an array of them)"},
    {"tls.client_ca = '/nowhere/ca.pem'",
     "tls.client_ca: \"/nowhere/ca.pem\" cannot be read (a file)"},
    {"proxy.trusted = ['10.0.0.0/8', '10.0.0.0/40']",
     "proxy.trusted: [\"10.0.0.0/8\", \"10.0.0.0/40\"] is not a range of addresses (a range such "
     "as "
     "10.0.0.0/8 or 192.0.2.1, or an array of them)"},
    {"proxy.trusted = true",
     "proxy.trusted: true is neither (a range such as 10.0.0.0/8 or 192.0.2.1, or an array of "
     "them)"},
    {"tls = 'on'", "tls: \"on\" is not a table ([tls])"},
    // wrong type
    {"limits = 3", "limits: 3 is not a table ([limits])"},
    {"[[limits]]", "limits: an array is not a table ([limits])"},
    {"servers = 'two'", "servers: \"two\" is not a whole number (0 to 256)"},
    {"servers = '2'", "servers: \"2\" is not a whole number (0 to 256)"},
    {"servers = 2.0", "servers: a number with a fraction is not a whole number (0 to 256)"},
    {"servers = true", "servers: true is not a whole number (0 to 256)"},
    {"servers = [2]", "servers: an array is not a whole number (0 to 256)"},
    {"servers.count = 2", "servers: a table is not a whole number (0 to 256)"},
    {"servers = 2020-02-02", "servers: a date or time is not a whole number (0 to 256)"},
    {"listen = 8080",
     "listen: 8080 is not an address and a port (such as 127.0.0.1:8080, [::1]:8080 or :8080)"},
    {"kernel = 1", "kernel: 1 is not a choice (auto, usermode, futex or native)"},
    {"server_name = false", "server_name: false is not a string (up to 64 characters)"},
    {"limits.body_size = 12", "limits.body_size: 12 is not a size (0B to 1GiB, such as \"64KiB\")"},
    {"drain_timeout = 10",
     "drain_timeout: 10 is not a duration (0ms to 24h, such as \"250ms\", or \"never\")"},
    // out of range
    {"servers = 257", "servers: 257 is out of range (0 to 256)"},
    {"servers = -1", "servers: -1 is out of range (0 to 256)"},
    {"servers = 4294967297", "servers: 4294967297 is out of range (0 to 256)"},
    {"limits.header_count = 0", "limits.header_count: 0 is out of range (1 to 10000)"},
    {"limits.header_size = '12B'",
     "limits.header_size: \"12B\" is out of range (256B to 1MiB, such as \"64KiB\")"},
    {"limits.body_size = '17179869184GiB'",
     "limits.body_size: \"17179869184GiB\" is out of range (0B to 1GiB, such as \"64KiB\")"},
    {"limits.keep_alive_timeout = '0s'",
     "limits.keep_alive_timeout: \"0s\" is out of range (1ms to 24h, such as \"250ms\", or "
     "\"never\")"},
    {"limits.keep_alive_timeout = '25h'",
     "limits.keep_alive_timeout: \"25h\" is out of range (1ms to 24h, such as \"250ms\", or "
     "\"never\")"},
    {"server_name = '12345678901234567890123456789012345678901234567890123456789012345'",
     "server_name: \"12345678901234567890123456789012345678901234567890123456789012345\" is too "
     "long (up to 64 characters)"},
    // bad address, choice, duration, size, text
    {"listen = 'localhost:80'",
     "listen: \"localhost:80\" is not an address and a port (such as 127.0.0.1:8080, [::1]:8080 or "
     ":8080)"},
    {"listen = '127.0.0.1'",
     "listen: \"127.0.0.1\" is not an address and a port (such as 127.0.0.1:8080, [::1]:8080 or "
     ":8080)"},
    {"listen = ':65536'",
     "listen: \":65536\" is not an address and a port (such as 127.0.0.1:8080, [::1]:8080 or "
     ":8080)"},
    {"reactor = 'EPOLL'", "reactor: \"EPOLL\" is not a choice (auto, io_uring or epoll)"},
    {"drain_timeout = '10 s'",
     "drain_timeout: \"10 s\" is not a duration (0ms to 24h, such as \"250ms\", or \"never\")"},
    {"limits.header_size = '64K'",
     "limits.header_size: \"64K\" is not a size (256B to 1MiB, such as \"64KiB\")"},
    {"server_name = \"a\\r\\nSet-Cookie: b\"",
     "server_name: \"a\\u000d\\u000aSet-Cookie: b\" is not printable ASCII (up to 64 characters)"},
};

TEST(configuration, names_file_line_key_value_and_range) {
  for (const bad_line& each : bad_lines) {
    EXPECT_EQ(problems_in(std::string("#\n#\n") + each.text + '\n'),
              lines{std::string("a.toml:3: ") + each.problem});
  }
}

TEST(configuration, reports_all_problems_in_the_order_of_lines) {
  configuration settings;
  const lines problems = parse_configuration(
      "servers = 300\n"
      "kernel = 'linux'\n"
      "listen = ':80'\n"
      "[limits]\n"
      "response_timeout = '1s'\n"
      "header_count = 0\n"
      "body = '1KiB'\n"
      "[extra]\n"
      "servers = 1\n",
      "conf/a.toml", settings);
  ASSERT_EQ(problems.size(), 5U);
  EXPECT_EQ(problems[0], "conf/a.toml:1: servers: 300 is out of range (0 to 256)");
  EXPECT_EQ(problems[1],
            "conf/a.toml:2: kernel: \"linux\" is not a choice (auto, usermode, futex or native)");
  EXPECT_EQ(problems[2], "conf/a.toml:6: limits.header_count: 0 is out of range (1 to 10000)");
  EXPECT_EQ(problems[3],
            "conf/a.toml:7: limits.body: unknown key (known: request_line_size, header_size, "
            "header_count, body_size, chunk_extension_size, handshake_timeout, keep_alive_timeout, "
            "request_head_timeout, request_body_timeout, handler_timeout, response_timeout)");
  EXPECT_EQ(problems[4],
            "conf/a.toml:8: extra: unknown table (known: hand_off, tls, proxy, limits)");
  EXPECT_EQ(settings.listen, ":80");
  EXPECT_EQ(settings.service.limits.response_duration, 1s);
  EXPECT_EQ(settings.service.servers, 0U);
}

// The words after "not TOML: " are those of toml++.
TEST(configuration, says_where_a_file_is_not_toml) {
  const std::map<std::string, std::string> texts = {
      {"servers = 1\n#\nservers = 2\n", "cannot redefine existing integer 'servers'"},
      {"[limits]\n#\n[limits]\n", "cannot redefine existing table 'limits'"},
      {"#\n#\nlisten ':80'\n", "expected '='"},
      {"#\n#\nservers = 1 2\n", "saw '2'"},
      {"#\n#\n[limits", "end-of-file"},
      {"#\n#\nlisten = '\xff'\n", "utf-8"},
      {"#\n#\nlisten = '\x01'\n", "control characters"},
  };
  for (const auto& [text, words] : texts) {
    const lines problems = problems_in(text);
    ASSERT_EQ(problems.size(), 1U) << text;
    EXPECT_TRUE(problems[0].starts_with("a.toml:3: not TOML: ")) << problems[0];
    EXPECT_NE(problems[0].find(words), std::string::npos) << problems[0];
    EXPECT_EQ(problems[0].find("Error while"), std::string::npos) << problems[0];
  }
}

class configuration_file : public ::testing::Test {
 protected:
  ~configuration_file() override { std::remove(path.c_str()); }

  void write(const std::string& text) const {
    std::FILE* const file = std::fopen(path.c_str(), "w");
    ASSERT_NE(file, nullptr);
    ASSERT_EQ(std::fwrite(text.data(), 1, text.size(), file), text.size());
    ASSERT_EQ(std::fclose(file), 0);
  }

  configuration settings;
  std::string path = ::testing::TempDir() + "umcg_httpd_" + std::to_string(::getpid()) + ".toml";
};

TEST_F(configuration_file, is_read) {
  write("servers = 5\n");
  EXPECT_EQ(read_configuration(path, settings), lines());
  EXPECT_EQ(settings.service.servers, 5U);
  write("servers = -5\n");
  EXPECT_EQ(read_configuration(path, settings),
            lines{path + ":1: servers: -5 is out of range (0 to 256)"});
}

TEST_F(configuration_file, is_missing) {
  EXPECT_EQ(read_configuration(path, settings),
            lines{path + ": cannot be read: No such file or directory"});
}

TEST_F(configuration_file, cannot_be_opened) {
  write("");
  ASSERT_EQ(::chmod(path.c_str(), 0), 0);
  // Root may read every file.
  const bool root = ::geteuid() == 0;
  if (root && ::seteuid(65534) != 0) GTEST_SKIP() << "root cannot become somebody else here";
  const lines problems = read_configuration(path, settings);
  if (root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  EXPECT_EQ(problems, lines{path + ": cannot be read: Permission denied"});
}

TEST_F(configuration_file, cannot_be_read) {
  EXPECT_EQ(read_configuration("/", settings), lines{"/: cannot be read: Is a directory"});
  // Its first page is not mapped.
  EXPECT_EQ(read_configuration("/proc/self/mem", settings),
            lines{"/proc/self/mem: cannot be read: Input/output error"});
}

TEST_F(configuration_file, is_too_large) {
  const std::string comment = '#' + std::string(1024 * 1024 - 1, ' ');
  write(comment);
  EXPECT_EQ(read_configuration(path, settings), lines());
  write(comment + ' ');
  EXPECT_EQ(read_configuration(path, settings), lines{path + ": cannot be read: File too large"});
}

// conf/httpd.toml as it is shipped.
std::vector<std::string> shipped_lines() {
  std::ifstream file(UMCG_HTTPD_CONF);
  std::vector<std::string> all;
  for (std::string line; std::getline(file, line);) all.push_back(line);
  return all;
}

TEST(shipped_configuration, sets_the_defaults) {
  configuration settings;
  settings.listen = "changed";
  settings.service.limits.header_count = 1;
  EXPECT_EQ(read_configuration(UMCG_HTTPD_CONF, settings), lines());
  EXPECT_EQ(to_toml(settings), to_toml({}));
}

// Above each key: "# Values: 0 to 256. Default: 0."
TEST(shipped_configuration, explains_every_key) {
  const std::vector<std::string> file = shipped_lines();
  for (const key& each : schema()) {
    const std::string value = each.value({});
    std::string setting = each.name.substr(each.name.find('.') + 1);
    setting.append(" = ").append(value);
    std::string values = "# Values: ";
    values.append(each.accepted).append(". Default: ").append(value).append(".");
    const auto line = std::ranges::find(file, setting);
    ASSERT_NE(line, file.end()) << "no line " << setting;
    ASSERT_GE(line - file.begin(), 2) << each.name;
    EXPECT_EQ(line[-1], values);
    EXPECT_TRUE(line[-2].starts_with("# ")) << each.name << " is not explained";
  }
}

}  // namespace
}  // namespace httpd
