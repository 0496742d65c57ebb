// SPDX-License-Identifier: MIT
#pragma once

// Parses the head of a request: a pure function of the bytes, which allocates nothing and keeps
// nothing (RFC 9112 2-3, 5, 6.3). It is as strict as the RFC lets it be, because whatever two
// parsers read differently is a way to smuggle.

#include <cstddef>
#include <string_view>

#include "umcg/http/limits.hpp"
#include "umcg/http/request_head.hpp"
#include "umcg/http/status.hpp"

namespace umcg::http {

enum class parsed : unsigned char { incomplete, complete, malformed };

struct parse_result {
  parsed outcome;
  // complete: how many bytes the head has, a preceding empty line included.
  std::size_t consumed = 0;
  // malformed: what to answer before the connection is closed.
  status error = status::ok;

  bool operator==(const parse_result&) const = default;
};

// `head` is filled with views of `input` if complete, and unspecified otherwise. A result other
// than incomplete does not depend on bytes beyond those it judges: any longer input has the same
// result.
parse_result parse_request_head(std::string_view input, const limits& limits, request_head& head);

}  // namespace umcg::http
