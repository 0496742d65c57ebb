// SPDX-License-Identifier: MIT
#pragma once

// The rarer forms of a request's target (RFC 9112 3.2) and the grammar of a host.

#include <string_view>

#include "http/field_line.hpp"
#include "umcg/http/request_head.hpp"

namespace umcg::http {

// uri-host [":" port] of RFC 9110 7.2, without user information. Empty is one: that is what a
// client sends that has no authority to name.
bool is_host(std::string_view text) noexcept;

// A target that begins with '/', for a method that goes with it.
step check_origin_form(const request_head& head) noexcept;

// Any other target: sets path, query and host. The absolute form is that of proxies, which every
// server must accept; CONNECT, with the authority form, is refused with 501, for what follows it is
// not HTTP; "*" is for OPTIONS alone.
step resolve_other_form(request_head& head) noexcept;

}  // namespace umcg::http
