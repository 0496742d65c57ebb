// SPDX-License-Identifier: MIT
#pragma once

// Turns responses into bytes and gathers them, so that the responses to a batch of pipelined
// requests leave in one write. They leave when the connection next waits for input, when they have
// become many, or on flush().

#include <cstddef>
#include <span>
#include <string_view>
#include <system_error>

#include "http/date.hpp"
#include "http/peer_stream.hpp"
#include "http/spill_buffer.hpp"
#include "umcg/deadline.hpp"
#include "umcg/http/request.hpp"
#include "umcg/http/response.hpp"
#include "umcg/http/service.hpp"

namespace umcg::http {

class response_writer {
 public:
  // Both must outlive the writer.
  response_writer(peer_stream& peer, const service_options& options) noexcept
      : peer_(peer), options_(options) {}

  // The response to `to`; `last` says that none will follow. False: the connection is broken.
  bool write(const response& reply, const request& to, bool last);
  // The last response, to bytes that are no request.
  bool refuse(status why);
  // "100 Continue": the client may send the body that it holds back.
  bool write_continue();

  // Sends what has been gathered. A handler that is going to block may want its predecessors'
  // responses out.
  bool flush();

  // Sends what has been gathered, then waits for at least one byte from the peer, all in one
  // blocking call. Errors: of peer_stream::write_then_read_some.
  std::size_t flush_then_read(std::span<char> into, deadline until, std::error_code& error);

 private:
  struct framing {
    bool sends_body;
    bool sends_length;
    bool last;
    bool names_keep_alive;
  };

  bool put(const response& reply, framing how);
  char* put_head(const response& reply, const framing& how, char* to);
  bool put_body(std::string_view body);
  bool make_room(std::size_t bytes);
  bool send(std::string_view body);

  peer_stream& peer_;
  const service_options& options_;
  date_cache date_;
  std::size_t size_ = 0;  // of what has been gathered
  spill_buffer<384> buffer_;
};

}  // namespace umcg::http
