// SPDX-License-Identifier: MIT

#include "tls/ticket_keys.hpp"

#include <algorithm>

#include <openssl/crypto.h>
#include <openssl/rand.h>

namespace umcg::tls {
namespace {

std::optional<ticket_key> random_key() noexcept {
  ticket_key made;
  for (const std::span<unsigned char> part :
       {std::span<unsigned char>(made.name), std::span<unsigned char>(made.encryption),
        std::span<unsigned char>(made.authentication)}) {
    if (RAND_priv_bytes(part.data(), static_cast<int>(part.size())) != 1) return std::nullopt;
  }
  return made;
}

}  // namespace

ticket_keys::ticket_keys(std::chrono::seconds duration) noexcept
    : duration_(duration), cipher_(EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr)) {}

ticket_keys::~ticket_keys() {
  for (auto& each : keys_) {
    if (each) OPENSSL_cleanse(&each->key, sizeof each->key);
  }
}

void ticket_keys::forget_old(time_point now) noexcept {
  for (auto& each : keys_) {
    if (!each || now - each->born < 2 * duration_) continue;
    OPENSSL_cleanse(&each->key, sizeof each->key);
    each.reset();
  }
}

// The key is made without the lock, which is for a few instructions; of several that are made at
// once the first is taken.
std::optional<ticket_key> ticket_keys::current(time_point now) noexcept {
  {
    const base::short_guard guard(lock_);
    if (keys_[0] && makes_tickets(*keys_[0], now)) return keys_[0]->key;
  }
  const std::optional<ticket_key> made = random_key();
  if (!made) return std::nullopt;
  const base::short_guard guard(lock_);
  if (!keys_[0] || !makes_tickets(*keys_[0], now)) {
    keys_[1] = keys_[0];
    keys_[0] = {*made, now};
    forget_old(now);
  }
  return keys_[0]->key;
}

std::optional<ticket_keys::found_key> ticket_keys::find(std::span<const unsigned char> name,
                                                        time_point now) noexcept {
  const base::short_guard guard(lock_);
  forget_old(now);
  for (const auto& each : keys_) {
    if (each && std::ranges::equal(each->key.name, name)) {
      return found_key{each->key, makes_tickets(*each, now)};
    }
  }
  return std::nullopt;
}

}  // namespace umcg::tls
