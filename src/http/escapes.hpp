// SPDX-License-Identifier: MIT
#pragma once

// Percent-encoding (RFC 3986 2.1).

#include <string>
#include <string_view>

namespace umcg::http {

// Appends `text` with each "%41" replaced by the byte it stands for. A '%' without two digits
// stands for itself.
void append_decoded(std::string& to, std::string_view text);

// As append_decoded, and '+' is a space: the way HTML forms write a query.
std::string decode_form_value(std::string_view text);

}  // namespace umcg::http
