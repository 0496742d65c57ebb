// SPDX-License-Identifier: MIT
#pragma once

// What umcg-httpd answers. GET / lists it.

#include "umcg/http/service.hpp"

namespace httpd {

// Errors: std::invalid_argument if the service has one of the routes already.
void add_routes(umcg::http::service& to);

}  // namespace httpd
