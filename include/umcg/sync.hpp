// SPDX-License-Identifier: MIT
#pragma once

// All by which workers wait for each other, and for threads, which may use the same. Each wait also
// has a form with a deadline, which returns false, or says timed out. A wait blocks the calling
// worker and lets its server run others; in a blocking region, and on a plain thread, it blocks the
// kernel thread. No wait allocates.
//
// Scopes. Where the caller is inside a umcg::deadline_scope or umcg::cancellation_scope, a wait
// that the scope ends throws std::system_error: asio::error::timed_out,
// asio::error::operation_aborted. It has then left what it waited in as at a deadline, and got
// nothing. Without scopes no wait throws. Destructors and clean-up code that must wait use a
// umcg::scope_shield.

#include "umcg/sync/channel.hpp"
#include "umcg/sync/condition_variable.hpp"
#include "umcg/sync/event.hpp"
#include "umcg/sync/mutex.hpp"
#include "umcg/sync/select.hpp"
#include "umcg/sync/semaphore.hpp"
#include "umcg/sync/shared_mutex.hpp"
#include "umcg/sync/wait_group.hpp"
