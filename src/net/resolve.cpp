// SPDX-License-Identifier: MIT
#include "umcg/net/resolve.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <string>

#include <asio/error.hpp>

#include "net/lookups.hpp"

namespace umcg::net {
namespace {

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "umcg.resolve"; }
  std::string message(int value) const override { return ::gai_strerror(value); }
};

// Of an address and a number, for which nobody has to be asked. Empty: something is a name.
resolved read_numbers(const std::string& host, const std::string& service) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const char* const port = service.empty() ? nullptr : service.c_str();
  if (::getaddrinfo(host.c_str(), port, &hints, &found) != 0) return {};
  resolved result = resolved::create(found, host, service);
  ::freeaddrinfo(found);
  return result;
}

// Never destroyed: lookups that were left behind use it until the process ends.
lookups& all_lookups() {
  static lookups& all = *new lookups(&::getaddrinfo, resolves_max);
  return all;
}

bool has_nul(std::string_view text) { return text.find('\0') != text.npos; }

}  // namespace

const std::error_category& resolve_category() noexcept {
  static const category only;
  return only;
}

resolved resolve(std::string_view host, std::string_view service, deadline until,
                 std::error_code& error) {
  if (has_nul(host) || has_nul(service)) {
    error = asio::error::invalid_argument;
    return {};
  }
  error.clear();
  resolved numbers = read_numbers(std::string(host), std::string(service));
  return numbers.empty() ? all_lookups().find(host, service, until, error) : numbers;
}

resolved resolve(std::string_view host, std::string_view service, deadline until) {
  std::error_code error;
  resolved found = resolve(host, service, until, error);
  if (error) throw std::system_error(error, "resolve " + std::string(host));
  return found;
}

}  // namespace umcg::net
