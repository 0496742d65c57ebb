/* SPDX-License-Identifier: MIT */
#ifndef UMCG_LIBUMCG_H
#define UMCG_LIBUMCG_H

/*
 * libumcg: user-managed concurrency groups.
 *
 * A group has servers and workers. A worker is a thread that runs only while a server runs it; a
 * server is a thread that runs workers, one at a time, and decides which. When a worker stops - it
 * waits, it blocks in an operation of this library, it is preempted, it ends - its server gets
 * control back and runs another. A worker that can go on appears in the group's idle workers list,
 * from which servers take it. A basic task is a thread outside any group that can wait, wake and
 * swap.
 *
 * A minimal scheduler is a server thread with this loop:
 *
 *     umcg_register_server(group, 0);
 *     for (;;) umcg_run_worker(umcg_get_idle_worker(true));
 *
 * Ids. A task id stays meaningful for the life of its thread; afterwards it means nobody, never
 * another thread.
 *
 * Deadlines are absolute, in nanoseconds of umcg_get_time_ns() (CLOCK_MONOTONIC); 0 means none. A
 * deadline does not move when the system clock is set.
 *
 * Wakes. A wake of a task that is not waiting is remembered, at most one, and ends its next wait at
 * once. No wake is lost, and if a wake and a deadline come together, the wake wins.
 *
 * Errors. Functions that return a pointer-sized id return UMCG_NONE, the others -1, with errno set
 * as listed.
 *
 * Thread safety: every function may be called by any thread at any time unless it says otherwise.
 * Signal handlers may call umcg_get_time_ns() only.
 *
 * Blocking: only umcg_register_worker(), umcg_wait(), umcg_swap(), umcg_get_idle_worker*() and
 * umcg_run_worker*() block. A blocked worker gives its server back; a blocked server or basic task
 * sleeps in the kernel.
 */

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uintptr_t umcg_t;  /* a group */
typedef intptr_t umcg_tid; /* a task */

#define UMCG_NONE (0)

/* --- the machine --- */

/*
 * True when tasks can be registered: a kernel half works on this machine. The first call decides
 * which; it has no other effect. umcg_kernel_half() says which one, or in a sentence why there is
 * none.
 */
bool umcg_enabled(void);
const char* umcg_kernel_half(void);

/*
 * Chooses the kernel half, before anything else of this library is called: "auto" (what works best
 * on this machine), "usermode" (workers are contexts that servers switch between in user mode),
 * "futex" (workers are kernel threads that hand each other the turn; slow, and works everywhere) or
 * "native" (workers are kernel threads, and the kernel carries the UMCG patches v0.9.1: it notices
 * by itself when a worker blocks). "auto" never chooses "native"; the numbers of its two system
 * calls are 450 and 451 unless the environment says otherwise (UMCG_NATIVE_SYSCALLS=450,451).
 * Errors: EINVAL (no such half), ENOTSUP (it does not work on this machine: umcg_kernel_half() says
 * what is missing, until a half is in use), EBUSY (another one is in use).
 */
int umcg_use_kernel_half(const char* name);

/* Nanoseconds of CLOCK_MONOTONIC: what deadlines are counted in. */
uint64_t umcg_get_time_ns(void);

/* --- tasks --- */

/*
 * The calling thread's id: the same for the life of the thread, whether or not it is registered.
 * UMCG_NONE when memory is exhausted (ENOMEM).
 */
umcg_tid umcg_get_utid(void);

/*
 * A value of the user's attached to a task; 0 to begin with. Setting the tag of a task that has
 * ended does nothing; its tag is 0. Not ordered with anything else: who sets and who reads agree
 * between themselves.
 */
void umcg_set_task_tag(umcg_tid utid, intptr_t tag);
intptr_t umcg_get_task_tag(umcg_tid utid);

/*
 * A snapshot of a task's state and flags, for debugging: it may have changed before the call
 * returns. 0 (UMCG_TASK_NONE) for a task that is not registered.
 */
uint64_t umcg_get_task_state(umcg_tid utid);

#define UMCG_TASK_STATE_MASK 0x3f
#define UMCG_TASK_NONE 0
#define UMCG_TASK_RUNNING 1
#define UMCG_TASK_IDLE 2 /* can run, or waits: see the flags */
#define UMCG_TASK_BLOCKED 3
#define UMCG_TF_PREEMPTED (1 << 7)    /* asked to yield */
#define UMCG_TF_WOKEN (1 << 11)       /* IDLE, listed or held: its wait was ended by a wake */
#define UMCG_TF_TIMED_OUT (1 << 12)   /* IDLE, listed or held: its wait was ended by its deadline */
#define UMCG_TF_LISTED (1 << 13)      /* IDLE: in the idle workers list */
#define UMCG_TF_HELD (1 << 14)        /* IDLE: taken by umcg_get_idle_worker(), not yet run */
#define UMCG_TF_HAS_WORKER (1 << 15)  /* IDLE: a server in umcg_run_worker() */
#define UMCG_TF_WAITING (1 << 16)     /* IDLE: in umcg_wait() or umcg_swap() */
#define UMCG_TF_WAKE_QUEUED (1 << 17) /* its next wait returns at once */

/* --- groups --- */

/*
 * Workers of the group may be preempted with umcg_preempt_worker(). A preempted worker keeps the
 * locks that it holds, those inside malloc() and stdio included, until a server runs it again: so
 * nobody may wait for a lock that such workers take, unless another server is there to run the
 * owner. The signal's frame is put on the worker's stack. Servers must not block the signal; signal
 * handlers that workers may run block it (sa_mask), since a handler returns to the signal mask of
 * the kernel thread that it began on.
 */
#define UMCG_GROUP_ENABLE_PREEMPTION 1

/*
 * A new, empty group. flags: 0 or UMCG_GROUP_ENABLE_PREEMPTION. The first group with preemption
 * installs a handler for the preemption signal; a handler that was there before is called for
 * signals that are not ours. A child made by fork() must not use the parent's groups. Errors:
 * EINVAL (unknown flags), ENOTSUP (no kernel half), ENOMEM, EBUSY (the preemption signal cannot be
 * used).
 */
umcg_t umcg_create_group(uint32_t flags);

/* Frees an empty group. Errors: EINVAL (UMCG_NONE), EBUSY (it has tasks, among them workers that
 * have never run). */
int umcg_destroy_group(umcg_t group);

/*
 * The real-time signal that preempts, SIGRTMIN + 3 unless set. Set it before the first group with
 * preemption is made. Errors: EINVAL (not a real-time signal), EBUSY (already in use).
 */
int umcg_set_preemption_signal(int signal);

/* --- becoming a task --- */

/*
 * The calling thread becomes a basic task, with `tag`. Returns its id, the same as umcg_get_utid().
 * Errors: EINVAL (already registered), ENOTSUP (no kernel half), ENOMEM.
 */
umcg_tid umcg_register_basic_task(intptr_t tag);

/*
 * The calling thread becomes a worker of `group`: it appears in the idle workers list, and the call
 * returns, with its id, when a server runs it for the first time. From then on the thread runs only
 * under servers, until umcg_unregister_task() or its end; both need a server of the group that runs
 * it once more if the worker does not have one. With half "usermode" it runs on its servers' kernel
 * threads meanwhile: signals sent to the thread wait, signal mask, alternate stack and CPU affinity
 * are the server's, and mutexes with priority inheritance do not know it. Errors: EINVAL (already
 * registered, UMCG_NONE), ENOMEM.
 */
umcg_tid umcg_register_worker(umcg_t group, intptr_t tag);

/*
 * The calling thread becomes a server of `group`. Errors: EINVAL (already registered, UMCG_NONE),
 * ENOMEM, EAGAIN (256 servers).
 */
umcg_tid umcg_register_server(umcg_t group, intptr_t tag);

/*
 * The calling thread is an ordinary thread again, and may register as something else. A worker's
 * server returns from umcg_run_worker(). A thread that ends while registered does this by itself.
 * In a child made by fork() no thread is registered. Workers that a server has taken from the list
 * and not run when it unregisters stay taken: any server of the group may run them by their ids.
 * Errors: EINVAL (not registered, or a worker that C++ code spawned).
 */
int umcg_unregister_task(void);

/* --- waiting and waking --- */

/*
 * Waits to be woken, swapped into, run (a worker, by umcg_run_worker()), or for the deadline.
 * Returns 0 at once when a wake is queued. Errors: EINVAL (not registered), EBUSY (between
 * umcg_block_begin() and umcg_block_end()), ETIMEDOUT (the deadline passed and no wake came). A
 * worker whose deadline passes is put into the idle workers list, and the call returns when a
 * server runs it.
 */
int umcg_wait(uint64_t deadline_ns);

/*
 * Wakes a task: one that waits goes on (a worker: through the idle workers list); for any other one
 * wake is queued. Never blocks. `same_cpu` is a hint that the target should run on this CPU; it may
 * be ignored. The caller need not be registered. Errors: EINVAL (UMCG_NONE), ESRCH (not registered,
 * or ended).
 */
int umcg_wake(umcg_tid next, bool same_cpu);

/*
 * umcg_wake(next) and umcg_wait(deadline) at once. A worker hands its place to `next`, which runs
 * at once if it waits or has been taken from the list; umcg_run_worker() then returns for whichever
 * worker stops last. If the caller has a queued wake it does not stop: `next` is woken, and the
 * call returns 0. A worker that another server has taken from the list may be swapped to as well:
 * that server then gets EBUSY. Swapping to oneself returns 0. Errors: EINVAL (not registered; kinds
 * or groups differ; UMCG_NONE), ESRCH (`next` is not registered or has ended), EBUSY
 * (`next` is in the idle workers list: it belongs to the servers; or as umcg_wait()), ETIMEDOUT. On
 * an error before the wait nothing has happened.
 */
int umcg_swap(umcg_tid next, uint64_t deadline_ns);

/*
 * Marks a call that blocks the kernel thread - a file, a lock of another library, a page that is
 * not there - so that the server of the calling worker runs others meanwhile: umcg_run_worker()
 * returns with UMCG_STOP_BLOCKED, and after umcg_block_end() the worker is in the idle workers list
 * and goes on when a server runs it. Between the two it must not call umcg_wait() or umcg_swap()
 * (EBUSY). Pairs nest. errno is kept. Without effect on threads that are not workers.
 *
 * Half "usermode": the worker keeps the kernel thread and its server goes on on another one, which
 * the library makes when there is none to spare, up to 1,024; beyond that, or where the system
 * makes no more threads, the call has no effect and the worker blocks its server. A server may so
 * return from umcg_run_worker() on another kernel thread than it called it on (gettid(2) tells,
 * nothing else); umcg_unregister_task() brings it back and waits for that while a worker blocks
 * the server's own.
 *
 * Half "native": no call needs it, the kernel notices by itself whatever blocks a worker, and
 * umcg_run_worker() returns in the same way.
 */
void umcg_block_begin(void);
void umcg_block_end(void);

/* --- serving: the caller must be a server --- */

/*
 * Takes the next worker from the idle workers list, first in, first out for each server. With wait
 * == true the server sleeps until there is one. UMCG_NONE with errno 0: there is none (wait ==
 * false). Errors: EINVAL (not a server). Of two servers that sleep, each gets a worker of its own
 * as soon as there are two.
 */
umcg_tid umcg_get_idle_worker(bool wait);

/* The same with a deadline; UMCG_NONE with ETIMEDOUT when it passes. */
umcg_tid umcg_get_idle_worker_until(uint64_t deadline_ns);

/* Why a worker gave its server back. */
enum umcg_stop {
  UMCG_STOP_NONE = 0,
  UMCG_STOP_BLOCKED,      /* it blocks; it will appear in the idle workers list */
  UMCG_STOP_WAITED,       /* it waits for a wake, in umcg_wait() */
  UMCG_STOP_SWAPPED,      /* likewise in umcg_swap(), and whom it swapped to runs elsewhere */
  UMCG_STOP_PREEMPTED,    /* it was preempted; it is in the idle workers list */
  UMCG_STOP_YIELDED,      /* it yielded (umcg::yield() of C++); it is in the idle workers list */
  UMCG_STOP_EXITED,       /* its thread ends and did not unregister before */
  UMCG_STOP_UNREGISTERED, /* it is an ordinary thread again */
};

/*
 * Runs a worker until it stops and returns its id: that of the last one, if workers swapped. A
 * worker that was taken with umcg_get_idle_worker() can be run, and one that is in umcg_wait() (its
 * wait then ends with 0). UMCG_NONE with errno 0: the last worker unregistered or ended. *why, if
 * not null, is set to the reason. Errors: EINVAL (not a server, not a worker of this group,
 * UMCG_NONE), ESRCH (not registered, or ended), EBUSY (running, blocked, in the idle workers list,
 * or swapped to by a worker meanwhile).
 */
umcg_tid umcg_run_worker(umcg_tid worker);
umcg_tid umcg_run_worker_why(umcg_tid worker, enum umcg_stop* why);

/*
 * Asks a running worker to stop and give its server back; it is then in the idle workers list. May
 * be called by any thread. A worker that stops by itself first is not stopped again. Errors: EINVAL
 * (not a worker), ENOTSUP (its group was made without UMCG_GROUP_ENABLE_PREEMPTION), EAGAIN (it is
 * not running, or the system's limit on queued signals is reached), ESRCH (not registered, or
 * ended). A worker inside a signal handler on an alternate stack stops at its next call of this
 * library.
 */
int umcg_preempt_worker(umcg_tid worker);

#ifdef __cplusplus
}
#endif

#endif
