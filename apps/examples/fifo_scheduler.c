/* SPDX-License-Identifier: MIT */
/*
 * The smallest scheduler: one server runs whatever is idle, first in, first out. Three workers
 * tick; while one waits, the others run, all on the server's one kernel thread.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#include "umcg/libumcg.h"

enum { workers = 3, ticks = 4 };

static int ticked; /* no lock: one server, so one worker at a time */

/* --- the scheduler --- */

static void* serve(void* group) {
  int left = workers;
  umcg_register_server(*(umcg_t*)group, 0);
  while (left > 0) {
    const umcg_tid worker = umcg_get_idle_worker(true); /* sleeps while there is none */
    if (umcg_run_worker(worker) == UMCG_NONE) --left;   /* it came to its end */
  }
  umcg_unregister_task();
  return NULL;
}

/* --- what it schedules --- */

static void* tick(void* group) {
  const umcg_tid self = umcg_register_worker(*(umcg_t*)group, 0);
  for (int turn = 1; turn <= ticks; ++turn) {
    printf("worker %" PRIdPTR ": tick %d\n", self, turn);
    ++ticked;
    umcg_wait(umcg_get_time_ns() + 1000000); /* a millisecond; nobody wakes it before */
  }
  umcg_unregister_task();
  return NULL;
}

int main(void) {
  umcg_t group = umcg_create_group(0);
  if (group == UMCG_NONE) {
    fprintf(stderr, "fifo_scheduler: %s\n", umcg_kernel_half());
    return 1;
  }
  pthread_t threads[workers + 1];
  for (int at = 0; at < workers; ++at) {
    if (pthread_create(&threads[at], NULL, tick, &group) != 0) return 1;
  }
  if (pthread_create(&threads[workers], NULL, serve, &group) != 0) return 1;
  for (int at = 0; at <= workers; ++at) pthread_join(threads[at], NULL);
  printf("%d ticks\n", ticked);
  return umcg_destroy_group(group) == 0 && ticked == workers * ticks ? 0 : 1;
}
