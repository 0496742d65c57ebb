/* SPDX-License-Identifier: MIT */
/*
 * Two basic tasks hand a ball to each other: each stroke is one umcg_swap(), which wakes the other
 * and waits for it. No group and no server: basic tasks are ordinary threads that can wait.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#include "umcg/libumcg.h"

enum { strokes = 50000 };

static umcg_tid ping;
static umcg_tid pong;
static int ball; /* no lock: only the one whose turn it is touches it */

static void play(umcg_tid other) {
  while (ball < strokes) {
    ++ball;
    umcg_swap(other, 0);
  }
  umcg_wake(other, false); /* it ends as well; if it has ended, nothing happens */
}

static void* pong_main(void* unused) {
  (void)unused;
  pong = umcg_register_basic_task(0);
  play(ping);
  umcg_unregister_task();
  return NULL;
}

int main(void) {
  ping = umcg_register_basic_task(0);
  if (ping == UMCG_NONE) {
    fprintf(stderr, "ping_pong: %s\n", umcg_kernel_half());
    return 1;
  }
  pthread_t thread;
  if (pthread_create(&thread, NULL, pong_main, NULL) != 0) return 1;
  umcg_wait(0); /* the other has the first stroke */

  const uint64_t begin = umcg_get_time_ns();
  play(pong);
  const uint64_t spent = umcg_get_time_ns() - begin;

  pthread_join(thread, NULL);
  umcg_unregister_task();
  printf("%d strokes, %" PRIu64 " ns each\n", ball, spent / strokes);
  return ball == strokes ? 0 : 1;
}
