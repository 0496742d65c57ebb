// SPDX-License-Identifier: MIT
#pragma once

// Lookups of names by a call that blocks its thread and cannot be cancelled. Each has a thread of
// its own, and so many are under way at most.

#include <netdb.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>

#include "umcg/deadline.hpp"
#include "umcg/net/resolve.hpp"
#include "umcg/sync/event.hpp"
#include "umcg/sync/semaphore.hpp"

namespace umcg::net {

// getaddrinfo(3), or a test's.
using lookup_call = int (*)(const char* host, const char* service, const addrinfo* hints,
                            addrinfo** found);

// Any worker or thread may use it. It is destroyed when no lookup is under way.
class lookups {
 public:
  // `found` is freed by freeaddrinfo(3).
  lookups(lookup_call call, unsigned at_once_max) noexcept : call_(call), places_(at_once_max) {}
  lookups(const lookups&) = delete;
  lookups& operator=(const lookups&) = delete;

  // As resolve(), but that addresses are looked up too.
  resolved find(std::string_view host, std::string_view service, deadline until,
                std::error_code& error);

  // How many more could be begun; it may have changed before the call returns.
  std::uint64_t places() const noexcept { return places_.available(); }

 private:
  struct lookup {
    lookup(lookups& owner, std::string_view host_of, std::string_view service_of)
        : of(owner), host(host_of), service(service_of) {}

    lookups& of;
    const std::string host;
    const std::string service;
    sync::event answered;
    bool has_answer = false;  // these under of.parting_
    bool left_behind = false;
    int status = 0;  // passes from the thread to the caller with has_answer
    int error_number = 0;
    addrinfo* found = nullptr;
  };

  static void* run(void* of) noexcept;
  bool start(lookup& one, std::error_code& error);
  bool leave(lookup& one);
  static resolved answer(lookup& one, std::error_code& error);

  const lookup_call call_;
  sync::semaphore places_;
  // Decides who frees a lookup that its caller leaves behind: whoever comes second.
  std::mutex parting_;
};

// Of what getaddrinfo returns, and errno after it.
std::error_code lookup_error(int status, int error_number) noexcept;

}  // namespace umcg::net
