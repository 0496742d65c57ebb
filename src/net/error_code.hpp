// SPDX-License-Identifier: MIT
#pragma once

// Translates what the io layer and the kernel report into the error codes of the net layer.

#include <system_error>

namespace umcg::net {

// Standalone Asio has a system category of its own, and codes of different categories are never
// equal. So an error that Asio names becomes Asio's, and one that it does not name stays of
// std::system_category, where its std::errc is equal to it.
std::error_code named_error(const std::error_code& error);
// The same for errno.
std::error_code last_error();

}  // namespace umcg::net
