// SPDX-License-Identifier: MIT

#include "http/escapes.hpp"

#include "http/characters.hpp"

namespace umcg::http {
namespace {

bool is_escape(std::string_view text, std::size_t at) {
  return text[at] == '%' && text.size() - at >= 3 &&
         characters::is(text[at + 1], characters::hexadecimal) &&
         characters::is(text[at + 2], characters::hexadecimal);
}

}  // namespace

void append_decoded(std::string& to, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_escape(text, i)) {
      to += text[i];
      continue;
    }
    const int high = characters::hexadecimal_value(text[i + 1]);
    const int low = characters::hexadecimal_value(text[i + 2]);
    to += static_cast<char>(high << 4 | low);
    i += 2;
  }
}

std::string decode_form_value(std::string_view text) {
  std::string spaced(text);
  for (char& c : spaced) {
    if (c == '+') c = ' ';
  }
  std::string decoded;
  append_decoded(decoded, spaced);
  return decoded;
}

}  // namespace umcg::http
