// SPDX-License-Identifier: MIT
#pragma once

// All that a program needs that answers HTTP requests.

#include <chrono>
#include <string>

#include "umcg/http/request.hpp"
#include "umcg/http/response.hpp"
#include "umcg/http/service.hpp"
#include "umcg/worker.hpp"
