// SPDX-License-Identifier: MIT
#pragma once

// Takes errors out of OpenSSL's queue, which is the calling worker's or thread's own.

#include <system_error>

namespace umcg::tls {

// The oldest error, which is the cause of the others; the queue is empty then. no_memory if it was
// empty before: OpenSSL fails without a word only for want of memory.
std::error_code take_openssl_error() noexcept;

// Empties the queue: what is in it would be taken for an error of the next call. Cheap if it is
// empty.
void drop_openssl_errors() noexcept;

}  // namespace umcg::tls
