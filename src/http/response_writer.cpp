// SPDX-License-Identifier: MIT

#include "http/response_writer.hpp"

#include <array>
#include <charconv>

#include "http/coarse_clock.hpp"

namespace umcg::http {
namespace {

constexpr std::size_t gathered_max = 64 * 1024;  // sent before more is gathered
constexpr std::size_t first_spill = 16 * 1024;
constexpr std::size_t copied_body_max = 8 * 1024;  // a larger one is sent from where it lies
// Of a head without the parts whose size the response knows: status line, Content-Length, Date,
// Connection, names: 63 + 38 + 37 + 24 + 28 bytes at most, the longest reason phrase has 31.
constexpr std::size_t fixed_head_bytes = 208;

char* append(char* to, std::string_view text) noexcept { return to + text.copy(to, text.size()); }

char* append_number(char* to, std::size_t number) noexcept {
  return std::to_chars(to, to + 20, number).ptr;
}

char* append_status_line(char* to, status code) noexcept {
  if (code == status::ok) return append(to, "HTTP/1.1 200 OK\r\n");
  to = append_number(append(to, "HTTP/1.1 "), static_cast<std::size_t>(code));
  return append(append(append(to, " "), reason_phrase(code)), "\r\n");
}

bool has_no_body(status code) noexcept {
  return code == status::no_content || code == status::not_modified;
}

}  // namespace

bool response_writer::write(const response& reply, const request& to, bool last) {
  const bool has_body = !has_no_body(reply.status());
  // 205 has a length, and it is 0 (RFC 9110 15.3.6).
  const bool sends_body =
      has_body && to.method() != "HEAD" && reply.status() != status::reset_content;
  return put(reply, {.sends_body = sends_body,
                     .sends_length = has_body,
                     .last = last,
                     .names_keep_alive = to.version() == version::http_1_0});
}

bool response_writer::refuse(status why) {
  return put(response::error(why),
             {.sends_body = true, .sends_length = true, .last = true, .names_keep_alive = false});
}

bool response_writer::write_continue() {
  constexpr std::string_view interim = "HTTP/1.1 100 Continue\r\n\r\n";
  if (!make_room(interim.size())) return false;
  append(buffer_.data() + size_, interim);
  size_ += interim.size();
  return true;
}

bool response_writer::put(const response& reply, framing how) {
  const std::size_t head_bytes = fixed_head_bytes + reply.content_type().size() +
                                 options_.server_name.size() + reply.headers().lines().size();
  if (!make_room(head_bytes)) return false;
  const char* const head_end = put_head(reply, how, buffer_.data() + size_);
  size_ = static_cast<std::size_t>(head_end - buffer_.data());
  return !how.sends_body || put_body(reply.body());
}

char* response_writer::put_head(const response& reply, const framing& how, char* to) {
  to = append_status_line(to, reply.status());
  if (how.sends_length) {
    const bool empty = reply.status() == status::reset_content;
    to = append_number(append(to, "Content-Length: "), empty ? 0 : reply.body().size());
    to = append(to, "\r\n");
  }
  if (how.sends_length && !reply.content_type().empty()) {
    to = append(append(append(to, "Content-Type: "), reply.content_type()), "\r\n");
  }
  if (!reply.has_date()) {
    to = append(append(append(to, "Date: "), date_.now()), "\r\n");
  }
  if (!options_.server_name.empty() && !reply.headers().find("Server")) {
    to = append(append(append(to, "Server: "), options_.server_name), "\r\n");
  }
  if (how.last) {
    to = append(to, "Connection: close\r\n");
  } else if (how.names_keep_alive) {
    to = append(to, "Connection: keep-alive\r\n");
  }
  return append(append(to, reply.headers().lines()), "\r\n");
}

bool response_writer::put_body(std::string_view body) {
  if (body.size() > buffer_.capacity() - size_) {
    if (body.size() > copied_body_max || size_ + body.size() > gathered_max) return send(body);
    if (!make_room(body.size())) return false;
  }
  append(buffer_.data() + size_, body);
  size_ += body.size();
  return true;
}

bool response_writer::make_room(std::size_t bytes) {
  if (bytes <= buffer_.capacity() - size_) return true;
  if (size_ + bytes > gathered_max && !flush()) return false;
  const std::size_t spill = buffer_.spilled() ? gathered_max : first_spill;
  return buffer_.grow(std::max(size_ + bytes, spill), size_);
}

bool response_writer::flush() { return size_ == 0 || send({}); }

// The peer has response_duration to take a part, whatever its size: slow is not dead.
bool response_writer::send(std::string_view body) {
  std::array<asio::const_buffer, 2> rest = {asio::const_buffer(buffer_.data(), size_),
                                            asio::const_buffer(body.data(), body.size())};
  std::error_code error;
  while (rest[0].size() + rest[1].size() > 0 && !error) {
    peer_.expires_at(coarse_deadline_in(options_.limits.response_duration));
    const std::size_t sent = peer_.write_some(rest, error);
    const std::size_t of_first = std::min(sent, rest[0].size());
    rest[0] += of_first;
    rest[1] += sent - of_first;
  }
  buffer_.settle(0, 0);
  size_ = 0;
  return !error;
}

std::size_t response_writer::flush_then_read(std::span<char> into, deadline until,
                                             std::error_code& error) {
  peer_.expires_at(until);
  const std::size_t count = peer_.write_then_read_some(
      asio::const_buffer(buffer_.data(), size_), asio::buffer(into.data(), into.size()), error);
  if (buffer_.spilled()) buffer_.settle(0, 0);
  size_ = 0;
  return count;
}

}  // namespace umcg::http
