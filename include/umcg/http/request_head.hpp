// SPDX-License-Identifier: MIT
#pragma once

// What stands before the body of one request, as the parser found it: views of the received bytes.

#include <cstdint>
#include <string_view>

#include "umcg/http/header_fields.hpp"

namespace umcg::http {

enum class version : std::uint8_t { http_1_0, http_1_1 };

struct request_head {
  std::string_view method;
  std::string_view target;  // all of it, as sent
  std::string_view path;    // of the target, still percent-encoded; "*" for OPTIONS *
  std::string_view query;   // of the target, after the '?', still percent-encoded
  std::string_view host;    // with the port, of the target if it names one, else of the Host field
  header_fields fields;
  std::uint64_t content_length = 0;
  http::version version = http::version::http_1_1;
  bool keep_alive = true;
  bool chunked = false;
  bool expects_continue = false;
};

}  // namespace umcg::http
