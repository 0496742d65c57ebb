// SPDX-License-Identifier: MIT

#include "http/request_reader.hpp"

#include <algorithm>
#include <cstring>

#include <asio/error.hpp>

#include "base/assert.hpp"
#include "http/chunked_body.hpp"
#include "http/coarse_clock.hpp"
#include "http/request_parser.hpp"

namespace umcg::http {

request_reader::request_reader(peer_stream& peer, response_writer& output,
                               listed_connection& connection, const limits& limits) noexcept
    : peer_(peer), output_(output), connection_(connection), limits_(limits) {
  request_.peer_ = &peer_;
  request_.id_.connection = connection.number();
}

std::string_view request_reader::unread() const noexcept {
  return {buffer_.data() + begin_, end_ - begin_};
}

request* request_reader::next() {
  drop_last_request();
  if (!read_head() || !read_body()) return nullptr;
  connection_.set_mid_request(false);
  request_.route_ = nullptr;
  request_.deadline_ = coarse_deadline_in(limits_.handler_duration);
  ++request_.id_.number;
  return &request_;
}

bool request_reader::refuse(status why) noexcept {
  refusal_ = why;
  return false;
}

void request_reader::drop_last_request() noexcept {
  begin_ = next_;
  const std::size_t left = end_ - begin_;
  if (left == 0 || (buffer_.spilled() && left <= buffer_.in_place_bytes)) {
    buffer_.settle(begin_, left);
    begin_ = 0;
    end_ = left;
  }
  next_ = begin_;
}

// Each arrival is parsed from the request's start. A peer that sends single bytes makes that
// quadratic, but the head's limits keep each parse cheaper than the packet that caused it.
bool request_reader::read_head() {
  deadline until;
  for (;;) {
    if (end_ > begin_) {
      const parse_result head = parse_request_head(unread(), limits_, request_.head_);
      if (head.outcome == parsed::malformed) return refuse(head.error);
      if (head.outcome == parsed::complete) {
        head_bytes_ = head.consumed;
        next_ = begin_ + head_bytes_;
        request_.body_ = {};
        return true;
      }
    }
    if (!receive_head(until)) return false;
  }
}

bool request_reader::receive_head(deadline& until) {
  // An empty line does not begin a request: it is what some clients send after a body.
  if (end_ == begin_ || unread() == "\r\n") {
    return receive(waiting_for::request, coarse_deadline_in(limits_.keep_alive_duration));
  }
  if (until.is_never()) until = coarse_deadline_in(limits_.request_head_duration);
  return receive(waiting_for::rest_of_head, until);
}

bool request_reader::read_body() {
  const request_head& head = request_.head_;
  if (!head.chunked && head.content_length == 0) return true;
  if (head.content_length > limits_.body_bytes) return refuse(status::content_too_large);
  // A client that has begun to send the body does not wait for leave (RFC 9110 10.1.1).
  if (head.expects_continue && end_ == next_ && !output_.write_continue()) return false;
  head_moved_ = false;
  if (!(head.chunked ? read_chunked_body() : read_fixed_body())) return false;
  if (head_moved_) parse_head_again();
  return true;
}

bool request_reader::read_fixed_body() {
  const auto body_bytes = static_cast<std::size_t>(request_.head_.content_length);
  const std::size_t whole = head_bytes_ + body_bytes;
  const deadline until = coarse_deadline_in(limits_.request_body_duration);
  while (end_ - begin_ < whole) {
    if (!receive(waiting_for::body, until)) return false;
  }
  request_.body_ = unread().substr(head_bytes_, body_bytes);
  next_ = begin_ + whole;
  return true;
}

// Decodes in place: the body's bytes move down over the chunks' framing. Positions are counted from
// begin_.
bool request_reader::read_chunked_body() {
  const deadline until = coarse_deadline_in(limits_.request_body_duration);
  std::size_t body_end = head_bytes_;
  std::size_t coded = head_bytes_;
  chunked_position position;
  for (;;) {
    const chunked_step step = decode_chunked(position, unread().substr(coded), limits_);
    if (step.outcome == parsed::malformed) return refuse(step.error);
    char* const base = buffer_.data() + begin_;
    if (!step.data.empty()) std::memmove(base + body_end, step.data.data(), step.data.size());
    body_end += step.data.size();
    coded += step.consumed;
    position = step.next;
    if (step.outcome == parsed::complete) break;
    if (step.consumed > 0) continue;
    std::memmove(base + body_end, base + coded, end_ - begin_ - coded);
    end_ -= coded - body_end;
    coded = body_end;
    if (!receive(waiting_for::body, until)) return false;
  }
  request_.body_ = unread().substr(head_bytes_, body_end - head_bytes_);
  next_ = begin_ + coded;
  return true;
}

// Appends at least one byte to what has been received.
bool request_reader::receive(waiting_for what, deadline until) {
  if (!make_room()) return refuse(status::service_unavailable);
  const bool idle = what == waiting_for::request;
  connection_.set_mid_request(!idle);
  std::error_code error;
  end_ += output_.flush_then_read({buffer_.data() + end_, buffer_.capacity() - end_}, until, error);
  if (!error) return true;
  if (!idle && error == asio::error::timed_out) return refuse(status::request_timeout);
  if (!idle && error == asio::error::eof) return refuse(status::bad_request);
  return false;
}

bool request_reader::make_room() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    next_ -= begin_;
    begin_ = 0;
    head_moved_ = true;
  }
  if (end_ < buffer_.capacity()) return true;
  // Room for what has come, not for what was announced: our memory costs the peer as many bytes.
  constexpr std::size_t first_spill = 8 * 1024;
  head_moved_ = true;
  return buffer_.grow(std::max(first_spill, 2 * buffer_.capacity()), end_);
}

void request_reader::parse_head_again() {
  const std::string_view body = request_.body_;
  const parse_result head =
      parse_request_head({buffer_.data() + begin_, head_bytes_}, limits_, request_.head_);
  UMCG_ASSERT(head.outcome == parsed::complete && head.consumed == head_bytes_);
  request_.body_ = body;
}

}  // namespace umcg::http
