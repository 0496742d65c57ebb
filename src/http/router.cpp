// SPDX-License-Identifier: MIT

#include "http/router.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "http/characters.hpp"
#include "http/escapes.hpp"

namespace umcg::http {

struct router::node {
  std::vector<std::pair<std::string, std::unique_ptr<node>>> literals;
  std::unique_ptr<node> parameter;
  std::vector<const route*> routes;  // of paths that end here; one for each method

  const route* find(std::string_view method) const noexcept {
    for (const route* candidate : routes) {
      if (candidate->method == method) return candidate;
    }
    return nullptr;
  }
  node& literal(std::string_view text) {
    for (auto& [name, child] : literals) {
      if (name == text) return *child;
    }
    return *literals.emplace_back(text, std::make_unique<node>()).second;
  }
};

// One search: the raw path, and the raw values of the parameters on the way to where it stands.
struct router::walk {
  std::string_view path;
  bool has_escapes;
  std::size_t parameter_count = 0;
  std::string_view parameters[request::parameters_max] = {};
};

namespace {

// The segment up to the next '/'; `rest` becomes what follows it, or a null view after the last
// segment.
std::string_view take_segment(std::string_view& rest) {
  const std::size_t slash = rest.find('/');
  const std::string_view segment = rest.substr(0, slash);
  rest = slash == rest.npos ? std::string_view() : rest.substr(slash + 1);
  return segment;
}

[[noreturn]] void refuse(std::string_view pattern, const char* why) {
  throw std::invalid_argument("route \"" + std::string(pattern) + "\": " + why);
}

// The name in "{name}"; empty: the segment is a literal.
std::string_view parameter_name(std::string_view segment, std::string_view pattern) {
  if (segment.find_first_of("{}") == segment.npos) return {};
  const std::string_view name =
      segment.substr(1, segment.size() - std::min<std::size_t>(2, segment.size()));
  if (segment.front() != '{' || segment.back() != '}' || name.empty() ||
      name.find_first_of("{}") != name.npos) {
    refuse(pattern, "a segment is either text or one {parameter}");
  }
  return name;
}

void append_method(std::string& list, std::string_view method) {
  if (!list.empty()) list += ", ";
  list += method;
}

}  // namespace

router::router() : root_(std::make_unique<node>()) {}
router::~router() = default;

void router::add(std::string_view method, std::string_view pattern, handler answer) {
  const char* const method_end = method.data() + method.size();
  if (method.empty() ||
      characters::skip(method.data(), method_end, characters::token) != method_end) {
    refuse(pattern, "the method is not a token");
  }
  if (!pattern.starts_with('/')) refuse(pattern, "a pattern begins with '/'");
  if (!answer) refuse(pattern, "it has no handler");
  auto added = std::make_unique<route>(
      route{std::string(method), std::string(pattern), {}, std::move(answer), {}});
  added->name = added->method + ' ' + added->pattern;
  node* at = root_.get();
  std::string_view rest = pattern.substr(1);
  do {
    const std::string_view segment = take_segment(rest);
    const std::string_view name = parameter_name(segment, pattern);
    if (name.empty()) {
      at = &at->literal(segment);
      continue;
    }
    auto& names = added->parameters;
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      refuse(pattern, "two parameters have one name");
    }
    if (names.size() == request::parameters_max) refuse(pattern, "more than 8 parameters");
    names.emplace_back(name);
    if (!at->parameter) at->parameter = std::make_unique<node>();
    at = at->parameter.get();
  } while (rest.data() != nullptr);
  if (at->find(method)) refuse(pattern, "it already has a handler for this method");
  at->routes.push_back(added.get());
  routes_.push_back(std::move(added));
}

// Visits the nodes that the path leads to, the best match first, until `visit` returns true. `rest`
// is null at the end of the path. The tree's depth bounds the recursion.
template <class Visitor>
bool router::descend(const node& from, std::string_view rest, walk& walked, Visitor&& visit) const {
  if (rest.data() == nullptr) return !from.routes.empty() && visit(from);
  const std::string_view raw = take_segment(rest);
  std::string decoded;
  if (walked.has_escapes) append_decoded(decoded, raw);
  const std::string_view segment = walked.has_escapes ? decoded : raw;
  for (const auto& [name, child] : from.literals) {
    if (name == segment && descend(*child, rest, walked, visit)) return true;
  }
  if (!from.parameter || segment.empty() || segment == "." || segment == "..") return false;
  walked.parameters[walked.parameter_count++] = raw;
  if (descend(*from.parameter, rest, walked, visit)) return true;
  --walked.parameter_count;
  return false;
}

const route* router::find(request& asked) const {
  const std::string_view path = asked.path();
  if (!path.starts_with('/')) return nullptr;
  walk walked{path, path.find('%') != path.npos};
  const route* found = nullptr;
  descend(*root_, path.substr(1), walked, [&](const node& end) {
    found = end.find(asked.method());
    if (!found && asked.method() == "HEAD") found = end.find("GET");
    return found != nullptr;
  });
  asked.route_ = found;
  if (found) note_parameters(asked, walked);
  return found;
}

void router::note_parameters(request& asked, const walk& walked) const {
  asked.decoded_.clear();
  for (std::size_t i = 0; i < walked.parameter_count; ++i) {
    const std::string_view raw = walked.parameters[i];
    std::size_t offset = static_cast<std::size_t>(raw.data() - walked.path.data());
    std::size_t length = raw.size();
    if (walked.has_escapes) {
      offset = asked.decoded_.size();
      append_decoded(asked.decoded_, raw);
      length = asked.decoded_.size() - offset;
    }
    asked.parameters_[i] = {static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(length)};
  }
}

std::string router::allowed(std::string_view path) const {
  std::vector<std::string_view> methods;
  const auto collect = [&](const route& each) {
    methods.push_back(each.method);
    if (each.method == "GET") methods.emplace_back("HEAD");
  };
  if (path == "*") {
    for (const auto& each : routes_) collect(*each);
  } else if (path.starts_with('/')) {
    walk walked{path, path.find('%') != path.npos};
    descend(*root_, path.substr(1), walked, [&](const node& end) {
      for (const route* each : end.routes) collect(*each);
      return false;
    });
  }
  std::sort(methods.begin(), methods.end());
  methods.erase(std::unique(methods.begin(), methods.end()), methods.end());
  std::string list;
  for (const std::string_view method : methods) append_method(list, method);
  return list;
}

bool router::knows_method(std::string_view method) const noexcept {
  for (const char* known :
       {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT"}) {
    if (method == known) return true;
  }
  return std::any_of(routes_.begin(), routes_.end(),
                     [&](const auto& each) { return each->method == method; });
}

}  // namespace umcg::http
