// SPDX-License-Identifier: MIT
#pragma once

// Finds the handler for a request: a tree of path segments. Fixed once serving starts, so that
// workers share it without a lock.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/route.hpp"

namespace umcg::http {

class router {
 public:
  router();
  ~router();

  // Errors: std::invalid_argument as service::route says.
  void add(std::string_view method, std::string_view pattern, handler answer);

  // The route for the request's method and path, with the parameters noted in the request; null:
  // none. A literal segment is tried before a parameter, and a route of the right method is found
  // wherever it is.
  const route* find(request& asked) const;

  // The methods that the path answers to, as an Allow field lists them; empty: no such path. "*"
  // stands for all paths.
  std::string allowed(std::string_view path) const;

  // Whether the method is one of HTTP's own, or has a route.
  bool knows_method(std::string_view method) const noexcept;

 private:
  struct node;
  struct walk;

  template <class Visitor>
  bool descend(const node& from, std::string_view rest, walk& walked, Visitor&& visit) const;
  void note_parameters(request& asked, const walk& walked) const;

  std::unique_ptr<node> root_;
  std::vector<std::unique_ptr<route>> routes_;
};

}  // namespace umcg::http
