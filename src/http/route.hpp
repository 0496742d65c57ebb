// SPDX-License-Identifier: MIT
#pragma once

// One handler and what it answers to.

#include <string>
#include <vector>

#include "umcg/http/service.hpp"

namespace umcg::http {

struct route {
  std::string method;
  std::string pattern;
  std::vector<std::string> parameters;  // names, in the order of the pattern
  handler answer;
  std::string name;  // "GET /users/{id}", for diagnosis
};

}  // namespace umcg::http
