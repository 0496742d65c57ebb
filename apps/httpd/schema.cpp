// SPDX-License-Identifier: MIT

#include "httpd/schema.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <concepts>
#include <type_traits>
#include <utility>
#include <vector>

#include "httpd/quantity.hpp"
#include "umcg/net/address_range.hpp"
#include "umcg/net/endpoint.hpp"

namespace httpd {
namespace {

using std::chrono::milliseconds;
using umcg::hand_off_options;
using umcg::http::limits;
using umcg::http::service_options;

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
constexpr std::uint64_t gib = 1024 * mib;
constexpr milliseconds day = std::chrono::hours(24);
constexpr std::size_t text_bytes_max = 64;

// What is wrong with a value: "is out of range". Empty: nothing.
using problem = std::string_view;
constexpr problem out_of_range = "is out of range";

// The part of a configuration that has a member of Owner.
template <class Owner, class Configuration>
auto& part(Configuration& whole) {
  if constexpr (std::same_as<Owner, limits>) {
    return whole.service.limits;
  } else if constexpr (std::same_as<Owner, hand_off_options>) {
    return whole.service.hand_off;
  } else if constexpr (std::same_as<Owner, tls_settings>) {
    return whole.tls;
  } else if constexpr (std::same_as<Owner, proxy_settings>) {
    return whole.proxy;
  } else if constexpr (std::same_as<Owner, service_options>) {
    return whole.service;
  } else {
    static_assert(std::same_as<Owner, configuration>);
    return whole;
  }
}

// `take` is problem(const found_value&, Value& setting), `show` std::string(const Value&).
template <class Owner, class Value, class Take, class Show>
key make_key(std::string name, std::string accepted, Value Owner::*member, Take take, Show show) {
  auto assign = [member, accepted, take](const found_value& found, configuration& into) {
    const problem wrong = take(found, part<Owner>(into).*member);
    if (wrong.empty()) return std::string();
    return to_text(found).append(" ").append(wrong).append(" (").append(accepted).append(")");
  };
  auto value = [member, show](const configuration& of) { return show(part<Owner>(of).*member); };
  return {std::move(name), std::move(accepted), std::move(assign), std::move(value), false};
}

template <class Owner, std::unsigned_integral Number>
key number(std::string name, Number Owner::*member, std::type_identity_t<Number> min,
           std::type_identity_t<Number> max) {
  const auto take = [min, max](const found_value& found, Number& setting) -> problem {
    const auto* const whole = std::get_if<std::int64_t>(&found);
    if (!whole) return "is not a whole number";
    if (std::cmp_less(*whole, min) || std::cmp_greater(*whole, max)) return out_of_range;
    setting = static_cast<Number>(*whole);
    return {};
  };
  const auto show = [](Number setting) { return std::to_string(setting); };
  return make_key(std::move(name), std::to_string(min) + " to " + std::to_string(max), member, take,
                  show);
}

template <class Owner>
key size(std::string name, std::size_t Owner::*member, std::uint64_t min, std::uint64_t max) {
  const auto take = [min, max](const found_value& found, std::size_t& setting) -> problem {
    const auto* const text = std::get_if<std::string>(&found);
    const auto bytes = text ? parse_size(*text) : std::nullopt;
    if (!bytes) return "is not a size";
    if (*bytes < min || *bytes > max) return out_of_range;
    setting = *bytes;
    return {};
  };
  const auto show = [](std::size_t setting) { return quoted(size_to_text(setting)); };
  return make_key(std::move(name),
                  size_to_text(min) + " to " + size_to_text(max) + ", such as \"64KiB\"", member,
                  take, show);
}

template <class Owner>
key duration(std::string name, milliseconds Owner::*member, milliseconds min, milliseconds max) {
  const auto take = [min, max](const found_value& found, milliseconds& setting) -> problem {
    const auto* const text = std::get_if<std::string>(&found);
    const auto parsed = text ? parse_duration(*text) : std::nullopt;
    if (!parsed) return "is not a duration";
    if (*parsed < min || *parsed > max) return out_of_range;
    setting = *parsed;
    return {};
  };
  const auto show = [](milliseconds setting) { return quoted(to_text(setting)); };
  return make_key(std::move(name), to_text(min) + " to " + to_text(max) + ", such as \"5ms\"",
                  member, take, show);
}

// Up to a day, or "never".
template <class Owner>
key duration(std::string name, milliseconds Owner::*member, milliseconds min) {
  const auto take = [min](const found_value& found, milliseconds& setting) -> problem {
    const auto* const text = std::get_if<std::string>(&found);
    const auto parsed = text ? parse_duration(*text) : std::nullopt;
    if (!parsed) return "is not a duration";
    if (*parsed != milliseconds::max() && (*parsed < min || *parsed > day)) return out_of_range;
    setting = *parsed;
    return {};
  };
  const auto show = [](milliseconds setting) { return quoted(to_text(setting)); };
  return make_key(std::move(name),
                  to_text(min) + " to " + to_text(day) + ", such as \"250ms\", or \"never\"",
                  member, take, show);
}

template <class Owner>
key choice(std::string name, std::string Owner::*member, std::vector<std::string_view> choices) {
  std::string accepted;
  for (const std::string_view each : choices) {
    if (!accepted.empty()) accepted += each == choices.back() ? " or " : ", ";
    accepted += each;
  }
  const auto take = [choices](const found_value& found, std::string& setting) -> problem {
    const auto* const text = std::get_if<std::string>(&found);
    if (!text || std::ranges::find(choices, *text) == choices.end()) return "is not a choice";
    setting = *text;
    return {};
  };
  return make_key(std::move(name), std::move(accepted), member, take, quoted);
}

template <class Owner>
key address(std::string name, std::string Owner::*member) {
  const auto take = [](const found_value& found, std::string& setting) -> problem {
    const auto* const text = std::get_if<std::string>(&found);
    auto error = std::make_error_code(std::errc::invalid_argument);
    if (text) umcg::net::parse_endpoint(*text, error);
    if (error) return "is not an address and a port";
    setting = *text;
    return {};
  };
  return make_key(std::move(name), "such as 127.0.0.1:8080, [::1]:8080 or :8080", member, take,
                  quoted);
}

bool is_readable(const std::string& path) { return ::access(path.c_str(), R_OK) == 0; }

template <class Owner>
key file(std::string name, std::string Owner::*member) {
  const auto take = [](const found_value& found, std::string& setting) -> problem {
    const auto* const path = std::get_if<std::string>(&found);
    if (!path) return "is not a string";
    if (!path->empty() && !is_readable(*path)) return "cannot be read";
    setting = *path;
    return {};
  };
  return make_key(std::move(name), "a file", member, take, quoted);
}

std::string quoted_list(const std::vector<std::string>& texts) {
  std::string result;
  for (const std::string& each : texts) (result += result.empty() ? "" : ", ") += quoted(each);
  return '[' + result + ']';
}

// One text, or an array of them, of which each is as `accepts` wants it; or else they are `wrong`.
template <class Owner, class Accepts>
key list(std::string name, const std::string& accepted, std::vector<std::string> Owner::*member,
         Accepts accepts, problem wrong) {
  using texts = std::vector<std::string>;
  const auto take = [accepts, wrong](const found_value& found, texts& setting) -> problem {
    const auto* const one = std::get_if<std::string>(&found);
    const auto* const several = std::get_if<texts>(&found);
    if (!one && !several) return "is neither";
    const texts taken = one ? texts{*one} : *several;
    if (!std::ranges::all_of(taken, accepts)) return wrong;
    setting = taken;
    return {};
  };
  key made =
      make_key(std::move(name), accepted + ", or an array of them", member, take, quoted_list);
  made.is_list = true;
  return made;
}

// "" stands for none.
template <class Owner>
key files(std::string name, std::vector<std::string> Owner::*member) {
  const auto accepts = [](const std::string& path) { return path.empty() || is_readable(path); };
  return list(std::move(name), "a file", member, accepts, "cannot be read");
}

template <class Owner>
key address_ranges(std::string name, std::vector<std::string> Owner::*member) {
  const auto accepts = [](const std::string& text) {
    std::error_code error;
    umcg::net::parse_address_range(text, error);
    return !error;
  };
  return list(std::move(name), "a range such as 10.0.0.0/8 or 192.0.2.1", member, accepts,
              "is not a range of addresses");
}

// Goes into the head of responses as it is.
template <class Owner>
key field_value(std::string name, std::string Owner::*member) {
  const auto take = [](const found_value& found, std::string& setting) -> problem {
    const auto* const text = std::get_if<std::string>(&found);
    if (!text) return "is not a string";
    const auto printable = [](char c) { return c >= ' ' && c <= '~'; };
    if (!std::ranges::all_of(*text, printable)) return "is not printable ASCII";
    if (text->size() > text_bytes_max) return "is too long";
    setting = *text;
    return {};
  };
  return make_key(std::move(name), "up to " + std::to_string(text_bytes_max) + " characters",
                  member, take, quoted);
}

}  // namespace

std::span<const key> schema() {
  using namespace std::chrono_literals;
  static const std::array keys = {
      address("listen", &configuration::listen),
      number("servers", &service_options::servers, 0, 256),
      choice("kernel", &service_options::kernel, {"auto", "usermode", "futex", "native"}),
      choice("reactor", &service_options::reactor, {"auto", "io_uring", "epoll"}),
      duration("quantum", &service_options::quantum, 0ms, day),
      field_value("server_name", &service_options::server_name),
      duration("drain_timeout", &service_options::drain_duration, 0ms),
      choice("dump_signal", &service_options::dump_signal,
             {"SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGHUP", "none"}),
      choice("hand_off.watch", &hand_off_options::watch, {"auto", "monitor", "off"}),
      number("hand_off.carriers_max", &hand_off_options::carriers_max, 0, 65'536),
      duration("hand_off.tick", &hand_off_options::tick, 1ms, 1s),
      files("tls.certificate", &tls_settings::certificate),
      files("tls.key", &tls_settings::key),
      files("tls.ocsp_staple", &tls_settings::ocsp_staple),
      file("tls.client_ca", &tls_settings::client_ca),
      choice("tls.client_certificates", &tls_settings::client_certificates,
             {"none", "request", "require"}),
      choice("tls.version_min", &tls_settings::version_min, {"1.2", "1.3"}),
      choice("tls.session_tickets", &tls_settings::session_tickets, {"on", "off"}),
      number("tls.session_cache_entries", &tls_settings::session_cache_entries, 0, 10'000'000),
      duration("tls.session_timeout", &tls_settings::session_duration, 1ms, day),
      address_ranges("proxy.trusted", &proxy_settings::trusted),
      choice("proxy.others", &proxy_settings::others, {"refuse", "pass"}),
      duration("proxy.header_timeout", &proxy_settings::header_duration, 1ms, day),
      size("limits.request_line_size", &limits::request_line_bytes, 256, mib),
      size("limits.header_size", &limits::header_bytes, 256, mib),
      number("limits.header_count", &limits::header_count, 1, 10'000),
      size("limits.body_size", &limits::body_bytes, 0, gib),
      size("limits.chunk_extension_size", &limits::chunk_extension_bytes, 0, mib),
      duration("limits.handshake_timeout", &limits::handshake_duration, 1ms),
      duration("limits.keep_alive_timeout", &limits::keep_alive_duration, 1ms),
      duration("limits.request_head_timeout", &limits::request_head_duration, 1ms),
      duration("limits.request_body_timeout", &limits::request_body_duration, 1ms),
      duration("limits.handler_timeout", &limits::handler_duration, 1ms),
      duration("limits.response_timeout", &limits::response_duration, 1ms),
  };
  return keys;
}

const key* find_key(std::string_view name) {
  const auto found = std::ranges::find(schema(), name, &key::name);
  return found == schema().end() ? nullptr : &*found;
}

std::string quoted(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      result.append("\\u00") += digits[byte >> 4];
      result += digits[byte & 15];
      continue;
    }
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result += '"';
}

std::string to_text(const found_value& found) {
  if (const auto* const whole = std::get_if<std::int64_t>(&found)) return std::to_string(*whole);
  if (const auto* const text = std::get_if<std::string>(&found)) return quoted(*text);
  if (const auto* const texts = std::get_if<std::vector<std::string>>(&found)) {
    return quoted_list(*texts);
  }
  return std::get<other_value>(found).description;
}

}  // namespace httpd
