// SPDX-License-Identifier: MIT
#include "net/lookups.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <memory>

#include <asio/error.hpp>

#include "base/detached_thread.hpp"
#include "net/error_code.hpp"

namespace umcg::net {
namespace {

// The modules of nsswitch.conf run on it.
constexpr std::size_t stack_size_bytes = 512 * 1024;

// What a wait of umcg::sync throws if a scope ends it is an error code here. False without an
// error: the deadline passed.
template <class Wait>
bool waited(Wait wait, std::error_code& error) {
  try {
    if (wait()) return true;
    error = asio::error::timed_out;
  } catch (const std::system_error& scope_end) {
    error = scope_end.code();
  }
  return false;
}

}  // namespace

std::error_code lookup_error(int status, int error_number) noexcept {
  switch (status) {
    case 0:
      return {};
    case EAI_NONAME:
    case EAI_ADDRFAMILY:
      return asio::error::host_not_found;
    case EAI_NODATA:
      return asio::error::no_data;
    case EAI_AGAIN:
      return asio::error::host_not_found_try_again;
    case EAI_FAIL:
      return asio::error::no_recovery;
    case EAI_SERVICE:
      return asio::error::service_not_found;
    case EAI_SOCKTYPE:
      return asio::error::socket_type_not_supported;
    case EAI_MEMORY:
      return asio::error::no_memory;
    case EAI_SYSTEM:
      return named_error({error_number, std::system_category()});
    default:
      return {status, resolve_category()};
  }
}

// On the lookup's own thread. The place is given back last, so lookups outlive their threads.
void* lookups::run(void* of) noexcept {
  base::name_this_thread("umcg-resolver");
  auto& one = *static_cast<lookup*>(of);
  lookups& all = one.of;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  const char* const service = one.service.empty() ? nullptr : one.service.c_str();
  one.status = all.call_(one.host.c_str(), service, &hints, &one.found);
  one.error_number = errno;
  {
    const std::lock_guard guard(all.parting_);
    one.has_answer = true;
    if (one.left_behind) {
      if (one.found != nullptr) ::freeaddrinfo(one.found);
      delete &one;
    } else {
      one.answered.set();  // the caller then waits for the mutex
    }
  }
  all.places_.release();
  return nullptr;
}

bool lookups::start(lookup& one, std::error_code& error) {
  const int failed = base::start_detached_thread(stack_size_bytes, &run, &one);
  if (failed == 0) return true;
  error = {failed, std::system_category()};
  return false;
}

// False: the lookup is under way, and now its thread's own.
bool lookups::leave(lookup& one) {
  const std::lock_guard guard(parting_);
  one.left_behind = !one.has_answer;
  return one.has_answer;
}

resolved lookups::answer(lookup& one, std::error_code& error) {
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> found(one.found, &::freeaddrinfo);
  error = lookup_error(one.status, one.error_number);
  return error ? resolved() : resolved::create(found.get(), one.host, one.service);
}

resolved lookups::find(std::string_view host, std::string_view service, deadline until,
                       std::error_code& error) {
  if (!waited([&] { return places_.acquire_until(until); }, error)) return {};
  auto one = std::make_unique<lookup>(*this, host, service);
  if (!start(*one, error)) {
    places_.release();
    return {};
  }
  waited([&] { return one->answered.wait_until(until); }, error);
  // An answer that came in the last moment is one.
  if (leave(*one)) return answer(*one, error);
  static_cast<void>(one.release());
  return {};
}

}  // namespace umcg::net
