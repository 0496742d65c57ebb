// SPDX-License-Identifier: MIT
#pragma once

// What to say about a name in the configuration that means nothing: which known one it may have
// been meant to be.

#include <string>

namespace httpd {

// `lisen: unknown key; did you mean listen?` For a name that is like none of the known ones, those
// that may stand in its place. `name` is with its table: "limits.header_size".
std::string unknown_key(const std::string& name);

// `limit: unknown table; did you mean limits?`
std::string unknown_table(const std::string& name);

}  // namespace httpd
