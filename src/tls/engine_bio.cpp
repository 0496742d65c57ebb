// SPDX-License-Identifier: MIT

#include "tls/engine_bio.hpp"

namespace umcg::tls {
namespace {

engine& engine_of(BIO* bio) noexcept { return *static_cast<engine*>(BIO_get_data(bio)); }

int read(BIO* bio, char* into, int size) {
  BIO_clear_retry_flags(bio);
  const int count = engine_of(bio).take_arrived({into, static_cast<std::size_t>(size)});
  if (count < 0) BIO_set_retry_read(bio);
  return count;
}

int write(BIO* bio, const char* from, int size) {
  BIO_clear_retry_flags(bio);
  return engine_of(bio).gather({from, static_cast<std::size_t>(size)});
}

// OpenSSL asks for much that only sockets and chains have. It flushes at the end of each flight of
// the handshake: the bytes leave when it wants to read, or is done.
long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD* method() noexcept {
  static const BIO_METHOD* const made = [] {
    BIO_METHOD* const bare = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "umcg");
    if (bare) {
      BIO_meth_set_read(bare, read);
      BIO_meth_set_write(bare, write);
      BIO_meth_set_ctrl(bare, control);
    }
    return bare;
  }();
  return made;
}

}  // namespace

BIO* make_bio(engine& of) noexcept {
  BIO* const made = method() ? BIO_new(method()) : nullptr;
  if (!made) return nullptr;
  BIO_set_data(made, &of);
  BIO_set_init(made, 1);
  return made;
}

}  // namespace umcg::tls
