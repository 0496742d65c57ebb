// SPDX-License-Identifier: MIT
#pragma once

// The keys that session tickets are encrypted with (RFC 5077 4). A key makes tickets for one
// duration and is then replaced; it opens them for one duration more, and is forgotten. Whoever
// gets hold of the process's memory can read the sessions of that time, and none before.
//
// Thread safety: any worker or thread may call all functions.

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

#include "base/short_lock.hpp"
#include "tls/openssl_objects.hpp"
#include "umcg/deadline.hpp"

namespace umcg::tls {

struct ticket_key {
  std::array<unsigned char, 16> name;
  std::array<unsigned char, 32> encryption;
  std::array<unsigned char, 32> authentication;
};

class ticket_keys {
 public:
  using time_point = deadline::clock::time_point;

  explicit ticket_keys(std::chrono::seconds duration) noexcept;
  ~ticket_keys();
  ticket_keys(const ticket_keys&) = delete;
  ticket_keys& operator=(const ticket_keys&) = delete;

  // The key for a new ticket; none: there is no randomness.
  std::optional<ticket_key> current(time_point now) noexcept;

  struct found_key {
    ticket_key key;
    bool is_current;  // otherwise the ticket wants to be replaced
  };
  // The key of that name, unless it is forgotten.
  std::optional<found_key> find(std::span<const unsigned char> name, time_point now) noexcept;

  // AES-256-CBC, looked up once: OpenSSL would do so for each ticket.
  const EVP_CIPHER* cipher() const noexcept { return cipher_.get(); }

 private:
  struct aging_key {
    ticket_key key;
    time_point born;
  };

  bool makes_tickets(const aging_key& key, time_point now) const noexcept {
    return now - key.born < duration_;
  }
  void forget_old(time_point now) noexcept UMCG_REQUIRES(lock_);

  const std::chrono::seconds duration_;
  const owned_cipher cipher_;
  base::short_lock lock_;
  // The newest and its predecessor.
  std::array<std::optional<aging_key>, 2> keys_ UMCG_GUARDED_BY(lock_);
};

}  // namespace umcg::tls
