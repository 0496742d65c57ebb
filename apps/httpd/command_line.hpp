// SPDX-License-Identifier: MIT
#pragma once

// The options of umcg-httpd.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "httpd/configuration.hpp"

namespace httpd {

struct command_line {
  std::string configuration_path;  // empty: built-in defaults
  bool check = false;
  // Sets what the options set; after the file was read, for they win.
  std::vector<std::function<void(configuration&)>> settings;
  // There is nothing more to do: help was asked for and printed (0), or the options are wrong and a
  // line on standard error says why (2).
  std::optional<int> exit_status;
};

command_line parse_command_line(int argument_count, const char* const* arguments);

}  // namespace httpd
