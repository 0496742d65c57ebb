// SPDX-License-Identifier: MIT

#include "tls/session_store.hpp"

#include <algorithm>
#include <ctime>
#include <mutex>
#include <utility>

#include "umcg/cancellation.hpp"

namespace umcg::tls {
namespace {

bool is_usable(const SSL_SESSION* session) noexcept {
  return SSL_SESSION_is_resumable(session) == 1 &&
         std::time(nullptr) < SSL_SESSION_get_time(session) + SSL_SESSION_get_timeout(session);
}

bool is_for_once(const SSL_SESSION* session) noexcept {
  return SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION;
}

owned_session another_owner(SSL_SESSION* session) noexcept {
  SSL_SESSION_up_ref(session);
  return owned_session(session);
}

}  // namespace

// What is forgotten is freed after the lock is open: `into` is declared before the guard.
void session_store::forget(index::iterator which, entries& into) noexcept {
  into.splice(into.end(), entries_, which->second);
  index_.erase(which);
}

void session_store::put(std::string_view key, owned_session session) {
  if (entries_max_ == 0) return;
  const bool replaces = !is_for_once(session.get());
  const scope_shield shield;
  entries made, forgotten;
  made.push_back({std::string(key), std::move(session)});
  const std::lock_guard guard(mutex_);
  while (replaces) {
    const auto found = index_.find(key);
    if (found == index_.end()) break;
    forget(found, forgotten);
  }
  index_.emplace(made.front().key, made.begin());
  entries_.splice(entries_.end(), made);
  if (entries_.size() <= entries_max_) return;
  const auto oldest = entries_.begin();
  const auto [first, last] = index_.equal_range(oldest->key);
  forget(std::find_if(first, last, [oldest](const auto& each) { return each.second == oldest; }),
         forgotten);
}

owned_session session_store::find(std::string_view key) noexcept {
  const scope_shield shield;
  const std::lock_guard guard(mutex_);
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : another_owner(found->second->session.get());
}

owned_session session_store::take(std::string_view key) noexcept {
  const scope_shield shield;
  entries forgotten;
  const std::lock_guard guard(mutex_);
  for (;;) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    SSL_SESSION* const session = found->second->session.get();
    const bool usable = is_usable(session);
    if (usable && !is_for_once(session)) return another_owner(session);
    forget(found, forgotten);
    if (usable) return std::move(forgotten.back().session);
  }
}

void session_store::remove(std::string_view key, const SSL_SESSION* session) noexcept {
  const scope_shield shield;
  entries forgotten;
  const std::lock_guard guard(mutex_);
  const auto [first, last] = index_.equal_range(key);
  const auto found = std::find_if(
      first, last, [session](const auto& each) { return each.second->session.get() == session; });
  if (found != last) forget(found, forgotten);
}

}  // namespace umcg::tls
