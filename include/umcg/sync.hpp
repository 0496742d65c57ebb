// SPDX-License-Identifier: MIT
#pragma once

// All by which workers wait for each other, and for threads, which may use the same. Each wait also
// has a form with a deadline, which returns false, or says timed out, and never throws. A wait
// blocks the calling worker and lets its server run others; in a blocking region, and on a plain
// thread, it blocks the kernel thread. No wait allocates.

#include "umcg/sync/channel.hpp"
#include "umcg/sync/condition_variable.hpp"
#include "umcg/sync/event.hpp"
#include "umcg/sync/mutex.hpp"
#include "umcg/sync/semaphore.hpp"
#include "umcg/sync/shared_mutex.hpp"
#include "umcg/sync/wait_group.hpp"
