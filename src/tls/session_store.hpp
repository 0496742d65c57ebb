// SPDX-License-Identifier: MIT
#pragma once

// Sessions that can be resumed, each under a key: a server's under their ids, a client's under the
// host. Contexts share one, so that sessions outlive the reload of certificates. OpenSSL's own
// store is a context's, and one of a client finds sessions for nobody.
//
// Thread safety: any worker or thread may call all functions. OpenSSL does so in the middle of a
// handshake; waits are for a few instructions and nothing ends them early.

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "tls/openssl_objects.hpp"
#include "umcg/sync/mutex.hpp"

namespace umcg::tls {

class session_store {
 public:
  // Keeps at most so many, the newest.
  explicit session_store(std::size_t entries_max) noexcept : entries_max_(entries_max) {}

  // Sessions of TLS 1.3, which are good for one connection each (RFC 8446 C.4), may be many under a
  // key; one of TLS 1.2 replaces what is there. Throws std::bad_alloc.
  void put(std::string_view key, owned_session session);

  // One of the sessions of that key; none: null. It stays.
  owned_session find(std::string_view key) noexcept;
  // The same, and forgets it if it is good for one connection only. Those whose time is over it
  // drops.
  owned_session take(std::string_view key) noexcept;
  // Forgets one session, which another one may have replaced under its key.
  void remove(std::string_view key, const SSL_SESSION* session) noexcept;

 private:
  struct entry {
    std::string key;
    owned_session session;
  };
  using entries = std::list<entry>;
  using index = std::unordered_multimap<std::string_view, entries::iterator>;

  void forget(index::iterator which, entries& into) noexcept;

  const std::size_t entries_max_;
  sync::mutex mutex_;
  entries entries_;  // the oldest first
  index index_;      // its keys lie in the entries
};

}  // namespace umcg::tls
