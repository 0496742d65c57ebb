// SPDX-License-Identifier: MIT

#include "http/service_core.hpp"

#include <cstdio>
#include <exception>

#include "http/route.hpp"
#include "libumcg/wait_note.hpp"

namespace umcg::http {
namespace {

// One write, so that lines of several workers do not mix; control bytes, so that one failure is one
// line.
void log_failure(const request& asked, const char* what) noexcept {
  char line[512];
  const int length = std::snprintf(
      line, sizeof line - 1, "umcg: request %llu-%llu %.*s %.*s: handler failed: %s",
      static_cast<unsigned long long>(asked.id().connection),
      static_cast<unsigned long long>(asked.id().number), static_cast<int>(asked.method().size()),
      asked.method().data(), static_cast<int>(std::min<std::size_t>(asked.path().size(), 200)),
      asked.path().data(), what);
  if (length < 0) return;
  const std::size_t size = std::min(static_cast<std::size_t>(length), sizeof line - 2);
  for (char& c : std::span(line, size)) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  line[size] = '\n';
  std::fwrite(line, 1, size + 1, stderr);
}

response failure(const request& asked, const char* what) noexcept {
  log_failure(asked, what);
  return response(status::internal_server_error);
}

}  // namespace

response service_core::answer(request& asked) const noexcept {
  try {
    const route* const found = routes.find(asked);
    if (!found) return answer_unrouted(asked);
    const libumcg::noted_work note(libumcg::current_task, found->name.c_str());
    response reply = found->answer(asked);
    const auto code = static_cast<unsigned>(reply.status());
    if (code < 200 || code > 599) return failure(asked, "its status is not one of 200 to 599");
    return reply;
  } catch (const std::exception& thrown) {
    return failure(asked, thrown.what());
  } catch (...) {
    return failure(asked, "it threw something that is not a std::exception");
  }
}

response service_core::answer_unrouted(const request& asked) const {
  if (!routes.knows_method(asked.method())) return response::error(status::not_implemented);
  const std::string allowed = routes.allowed(asked.path());
  if (asked.path() == "*") return response(status::no_content).set_header("Allow", allowed);
  if (allowed.empty()) return response::error(status::not_found);
  return response::error(status::method_not_allowed).set_header("Allow", allowed);
}

}  // namespace umcg::http
