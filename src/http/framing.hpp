// SPDX-License-Identifier: MIT
#pragma once

// The fields of a request that decide where it ends, whom it is for, and what becomes of the
// connection (RFC 9112 3.2, 6.3, 9.3). An ambiguity here is how one request is smuggled inside
// another, so each is refused.

#include <cstdint>

#include "http/field_line.hpp"
#include "umcg/http/request_head.hpp"

namespace umcg::http {

class framing {
 public:
  // Looks at one field in the order of the head.
  step note(const header_field& field) noexcept;
  // After the last field: checks them together and sets what they say in `head`.
  step conclude(request_head& head) const noexcept;

 private:
  step note_host(std::string_view value) noexcept;
  step note_content_length(std::string_view value) noexcept;
  step note_transfer_encoding(std::string_view value) noexcept;
  step note_expect(std::string_view value) noexcept;
  step note_connection(std::string_view value) noexcept;

  // Of the transfer codings seen so far, the last one. Only chunked is one that we know.
  enum class coding : std::uint8_t { none, chunked, unknown };

  std::string_view host_;
  std::uint64_t content_length_ = 0;
  coding last_coding_ = coding::none;
  bool unknown_coding_ = false;
  bool has_host_ = false;
  bool has_content_length_ = false;
  bool expects_continue_ = false;
  bool unmet_expectation_ = false;
  bool says_close_ = false;
  bool says_keep_alive_ = false;
};

}  // namespace umcg::http
