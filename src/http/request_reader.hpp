// SPDX-License-Identifier: MIT
#pragma once

// Makes requests out of a connection's bytes. A request and its body lie in one piece in the
// reader's buffer, and stay there until the next one is asked for. The buffer is in place unless a
// request does not fit; between requests it is in place again.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/connection_list.hpp"
#include "http/peer_stream.hpp"
#include "http/response_writer.hpp"
#include "http/spill_buffer.hpp"
#include "umcg/http/limits.hpp"
#include "umcg/http/request.hpp"
#include "umcg/http/status.hpp"

namespace umcg::http {

class request_reader {
 public:
  // All must outlive the reader. Responses gathered in `output` leave whenever the reader waits.
  request_reader(peer_stream& peer, response_writer& output, listed_connection& connection,
                 const limits& limits) noexcept;

  // Waits for the next request and reads all of it; valid until the next call. Null: there is none,
  // see refusal().
  request* next();

  // Why there is none: a status to answer with, or status::ok for an end that needs no words.
  status refusal() const noexcept { return refusal_; }

 private:
  enum class waiting_for : std::uint8_t { request, rest_of_head, body };

  std::string_view unread() const noexcept;
  void drop_last_request() noexcept;
  bool read_head();
  bool read_body();
  bool read_fixed_body();
  bool read_chunked_body();
  bool receive_head(deadline& until);
  bool receive(waiting_for what, deadline until);
  bool make_room();
  bool refuse(status why) noexcept;
  void parse_head_again();

  peer_stream& peer_;
  response_writer& output_;
  listed_connection& connection_;
  const limits& limits_;
  request request_;
  status refusal_ = status::ok;
  // Of the buffer: the current request begins, the next one begins, the received bytes end.
  std::size_t begin_ = 0;
  std::size_t next_ = 0;
  std::size_t end_ = 0;
  std::size_t head_bytes_ = 0;
  bool head_moved_ = false;  // since it was parsed, so that its views are wrong
  spill_buffer<1024> buffer_;
};

}  // namespace umcg::http
