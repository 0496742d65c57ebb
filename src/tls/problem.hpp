// SPDX-License-Identifier: MIT
#pragma once

// What is wrong with a set-up: an error code, and which file or option it is about.

#include <string>
#include <system_error>

namespace umcg::tls {

struct problem {
  std::error_code code;
  std::string what;  // "/etc/tls/a.key is not the key of /etc/tls/a.pem"

  explicit operator bool() const noexcept { return static_cast<bool>(code); }
  void raise() const {
    if (code) throw std::system_error(code, what);
  }
};

}  // namespace umcg::tls
