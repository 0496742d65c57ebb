// SPDX-License-Identifier: MIT
#pragma once

// The keys of the configuration: what each is called, what it accepts and which setting it is. A
// new key is one line in schema.cpp, and its explanation in conf/httpd.toml, which a test demands.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "httpd/configuration.hpp"

namespace httpd {

// A value that no key accepts: what to call it.
struct other_value {
  std::string description;  // "true", "an array"
};

// A value as it was found in the file or on the command line.
using found_value = std::variant<std::int64_t, std::string, std::vector<std::string>, other_value>;

struct key {
  std::string name;      // with its table: "limits.header_size"
  std::string accepted;  // for people: "0 to 256"
  // Takes the value, or leaves the setting as it is and says why: `300 is out of range (0 to 256)`.
  std::function<std::string(const found_value&, configuration&)> assign;
  // The setting's value as TOML.
  std::function<std::string(const configuration&)> value;
  bool is_list = false;  // accepts several strings
};

// Those of the file's top level first, as TOML wants it.
std::span<const key> schema();

// The key of that name, or null.
const key* find_key(std::string_view name);

// As a TOML string: `"a\u000ab"`.
std::string quoted(std::string_view text);

// `8`, `"eight"`, `an array`.
std::string to_text(const found_value& found);

}  // namespace httpd
