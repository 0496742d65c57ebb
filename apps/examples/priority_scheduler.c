/* SPDX-License-Identifier: MIT */
/*
 * A scheduler with two priorities and preemption. The dispatcher, a server that never runs anybody,
 * sorts idle workers by the priority in their tags; the runner, another server, runs the most
 * urgent one. When a worker comes that is more urgent than the running one, the dispatcher preempts
 * that.
 *
 * Two workers compute and never wait. An urgent one wants to run every other millisecond: without
 * preemption it would wait for the computation to end.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#include "umcg/libumcg.h"

enum priority { background, urgent, priorities };
enum { background_workers = 2, workers = background_workers + 1, turns = 20 };

/* --- the scheduler --- */

static umcg_t group;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static umcg_tid ready[priorities][workers]; /* under the lock */
static int ready_count[priorities];         /* under the lock */
static umcg_tid runner;                     /* fixed before the dispatcher starts */
static _Atomic umcg_tid running;
static atomic_int preemptions;

/* The worker may not have begun to run yet: then asking again is right, as long as it is its turn.
 */
static void preempt(umcg_tid worker) {
  while (umcg_preempt_worker(worker) != 0 && errno == EAGAIN && running == worker) sched_yield();
}

static void* dispatch(void* unused) {
  (void)unused;
  umcg_register_server(group, 0);
  for (;;) {
    const umcg_tid worker = umcg_get_idle_worker(true);
    const intptr_t priority = umcg_get_task_tag(worker);
    if (priority == priorities) { /* the last one: nobody is left to be scheduled */
      umcg_run_worker(worker);
      break;
    }
    pthread_mutex_lock(&lock);
    ready[priority][ready_count[priority]++] = worker;
    pthread_mutex_unlock(&lock);
    const umcg_tid current = running;
    if (current != UMCG_NONE && umcg_get_task_tag(current) < priority) preempt(current);
    umcg_wake(runner, false);
  }
  umcg_unregister_task();
  return NULL;
}

static umcg_tid take_most_urgent(void) {
  umcg_tid taken = UMCG_NONE;
  pthread_mutex_lock(&lock);
  for (int priority = priorities - 1; priority >= 0 && taken == UMCG_NONE; --priority) {
    if (ready_count[priority] == 0) continue;
    taken = ready[priority][0];
    --ready_count[priority];
    for (int at = 0; at < ready_count[priority]; ++at)
      ready[priority][at] = ready[priority][at + 1];
  }
  running = taken;
  pthread_mutex_unlock(&lock);
  return taken;
}

static void run_until_all_end(void) {
  int left = workers;
  while (left > 0) {
    const umcg_tid worker = take_most_urgent();
    if (worker == UMCG_NONE) {
      umcg_wait(0); /* a wake that came meanwhile is queued: none is lost */
      continue;
    }
    enum umcg_stop why;
    umcg_run_worker_why(worker, &why);
    running = UMCG_NONE;
    if (why == UMCG_STOP_PREEMPTED) ++preemptions;
    if (why == UMCG_STOP_UNREGISTERED) --left;
  }
}

/* --- what it schedules --- */

static atomic_bool computing = true;
static uint64_t late_most; /* nanoseconds */

static void* compute(void* unused) {
  (void)unused;
  umcg_register_worker(group, background);
  while (computing) {
  }
  umcg_unregister_task();
  return NULL;
}

static void* respond(void* unused) {
  (void)unused;
  umcg_register_worker(group, urgent);
  for (int turn = 0; turn < turns; ++turn) {
    const uint64_t due = umcg_get_time_ns() + 2000000;
    umcg_wait(due);
    const uint64_t late = umcg_get_time_ns() - due;
    if (late > late_most) late_most = late;
  }
  computing = false;
  umcg_unregister_task();
  return NULL;
}

static void* be_last(void* unused) {
  (void)unused;
  umcg_register_worker(group, priorities);
  umcg_unregister_task();
  return NULL;
}

int main(void) {
  group = umcg_create_group(UMCG_GROUP_ENABLE_PREEMPTION);
  if (group == UMCG_NONE) {
    fprintf(stderr, "priority_scheduler: %s\n", umcg_kernel_half());
    return 1;
  }
  runner = umcg_register_server(group, 0);
  pthread_t threads[workers + 2];
  int started = 0;
  if (pthread_create(&threads[started++], NULL, dispatch, NULL) != 0) return 1;
  for (int at = 0; at < background_workers; ++at) {
    if (pthread_create(&threads[started++], NULL, compute, NULL) != 0) return 1;
  }
  if (pthread_create(&threads[started++], NULL, respond, NULL) != 0) return 1;
  run_until_all_end();
  if (pthread_create(&threads[started++], NULL, be_last, NULL) != 0) return 1;
  for (int at = 0; at < started; ++at) pthread_join(threads[at], NULL);
  umcg_unregister_task();
  printf("%d urgent turns, late by at most %" PRIu64 " us; %d preemptions\n", turns,
         late_most / 1000, preemptions);
  return umcg_destroy_group(group) == 0 && preemptions > 0 ? 0 : 1;
}
