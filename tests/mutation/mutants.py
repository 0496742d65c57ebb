# SPDX-License-Identifier: MIT
"""libumcg with one thing wrong, again and again: what each mutant lacks, and the text that goes.

B numbers are defects of the published prototype, R numbers races, as in the comments of the source.
"""

from dataclasses import dataclass, replace

STATE = "src/libumcg/task_state.hpp"
SERVING = "src/libumcg/serving.cpp"
WAITING = "src/libumcg/waiting.cpp"
API = "src/libumcg/api.cpp"
MEMBERSHIP = "src/libumcg/membership.cpp"
TABLE = "src/libumcg/task_table.cpp"


@dataclass(frozen=True)
class Mutant:
    name: str
    lacks: str
    changes: tuple  # of (file, old text, new text)
    tests: str = "*"


def mutant(name, lacks, file, old, new):
    return Mutant(name, lacks, ((file, old, new),))


def swap_mutant(*what):
    """Shown by the tests of swap; those of races would run into what it breaks and wait long."""
    return replace(mutant(*what), tests="swap*")


MUTANTS = (
    # --- the state word ---
    mutant("wake-forgotten", "a wake of a running task is kept (B6, B7, B11)", STATE,
           "return old | wake_queued;", "return old;"),
    mutant("wait-ignores-wake", "the commit of a wait looks for a wake that came on the way",
           STATE, "lists = (old & (wake_queued | timed_out)) != 0;",
           "lists = (old & timed_out) != 0;"),
    mutant("basic-wait-ignores-wake", "a basic task's wait looks for a queued wake", STATE,
           "waits = (old & wake_queued) == 0;", "waits = true;"),
    mutant("deadline-beats-wake", "a wake beats a deadline (B18)", STATE,
           "by_deadline = (old & (timed_out | woken | wake_queued)) == timed_out;",
           "by_deadline = (old & timed_out) != 0;"),
    mutant("deadline-after-wake", "a sleeper that was woken does not report its deadline (B18)",
           WAITING, "&& self.state.stop_waiting()) return false;",
           "&& (self.state.stop_waiting(), true)) return false;"),
    mutant("listed-while-waiting", "a woken worker stops being in its wait (B19)", STATE,
           "return (old & ~place_mask) | (is_worker ? (listed | woken) : running);",
           "return (old & ~(place_mask & ~in_wait)) | (is_worker ? (listed | woken) : running);"),
    mutant("free-before-listed", "between wake and push nobody else may run the worker (B28)",
           STATE, "? (listed | woken) : running);", "? (held | woken) : running);"),
    mutant("words-come-twice", "no state word comes twice (B46)", STATE,
           "if (word_.compare_exchange_weak(old, wanted + one_move)) return;",
           "if (word_.compare_exchange_weak(old, wanted)) return;"),
    mutant("plain-store", "two changes of a word at once both count (B38, B44)", STATE,
           "if (word_.compare_exchange_weak(old, wanted + one_move)) return;",
           "word_.store(wanted + one_move);\n      return;"),
    mutant("attached-server-woken", "a wake leaves a server that runs a worker alone (B8, B24)",
           STATE, "if ((old & place_mask) != waiting) {\n        result = wake_result::queued;",
           "if ((old & state_mask) != idle) {\n        result = wake_result::queued;"),
    mutant("early-return-forgotten", "a worker may come back before its departure is committed",
           STATE, "return lists ? (old & ~place_mask) | listed : old | unblocked;",
           "return lists ? (old & ~place_mask) | listed : old;"),
    mutant("early-return-unseen", "who commits a departure looks whether the worker is back", STATE,
           "lists = (old & unblocked) != 0;", "lists = false;"),

    # --- idle workers and parked servers ---
    mutant("no-second-look", "a server looks once more after it has announced itself (B23, R2)",
           SERVING, "if (!any_idle_worker(in)) {", "if (true) {"),
    Mutant("look-then-announce", "the second look comes after the announcement (R1)",
           ((SERVING, "in.parked.announce(server, keeps_time);",
             "const bool none = !any_idle_worker(in);\n"
             "  in.parked.announce(server, keeps_time);"),
            (SERVING, "if (!any_idle_worker(in)) {", "if (none) {"))),
    mutant("summon-then-push", "a pusher looks for servers after the push (R1)", SERVING,
           "in.shared.push(worker);\n    summon_one(in);",
           "summon_one(in);\n    in.shared.push(worker);"),
    mutant("no-summons-from-outside", "a push from outside summons a server (B5)", SERVING,
           "in.shared.push(worker);\n    summon_one(in);", "in.shared.push(worker);"),
    mutant("no-summons-from-inside", "a worker's wake of another summons a server (B5)", SERVING,
           "if (!taken_next) summon_one(in);", "static_cast<void>(taken_next);"),
    mutant("no-chain", "a summoned server that sees more work summons the next (B22, R3)", SERVING,
           "if (more_work || time_is_unkept) summon_one(in);",
           "if (time_is_unkept) summon_one(in);"),
    mutant("nobody-minds-the-deadline", "a server that leaves the sleep hands the deadline on",
           SERVING, "if (more_work || time_is_unkept) summon_one(in);",
           "if (more_work) summon_one(in);"),
    mutant("earlier-deadline-unknown", "sleepers learn of an earlier deadline", WAITING,
           "if (earlier) tell_timekeeper(in);", "static_cast<void>(earlier);"),
    mutant("somebody-told", "the one that keeps the time learns of an earlier deadline", WAITING,
           "if (earlier) tell_timekeeper(in);", "if (earlier) summon_one(in);"),
    mutant("left-without-a-word", "a server that leaves empty-handed hands the deadline on", API,
           "core::give_up_parking(*self);", ""),
    mutant("last-in-first-out", "idle workers run in the order in which they came (B26)",
           "src/libumcg/idle_workers.hpp",
           "    worker.next = nullptr;\n    (last != nullptr ? last->next : first) = &worker;\n"
           "    last = &worker;\n",
           "    worker.next = first;\n    if (first == nullptr) last = &worker;\n"
           "    first = &worker;\n"),
    mutant("left-behind", "what a server has not run when it unregisters, others run", SERVING,
           "    in.shared.push_all(rest);\n", ""),
    mutant("lock-without-wake", "who unlocks wakes who waits", "src/base/short_lock.hpp",
           "if (word.exchange(short_word::open) == short_word::awaited) futex_wake(word);",
           "word.exchange(short_word::open);"),

    # --- deadlines ---
    mutant("deadline-stays-armed", "a wait that ends takes its deadline back", WAITING,
           "if (!self.wait_until.is_never()) disarm_deadline(self);", ""),
    mutant("deadline-unarmed", "a wait with a deadline ends", "src/libumcg/departing.cpp",
           "if (!departed->wait_until.is_never()) arm_deadline(*departed);", ""),

    # --- swap ---
    swap_mutant("place-given-away", "a swap with a queued wake does not stop (B3)", WAITING,
                "if (!works || self.state.has_wake()) {", "if (!works) {"),
    swap_mutant("swap-runs-anybody", "a swap runs whom it has won (B1, B2, B9, B49)", WAITING,
                "if (!target.state.run_found(next.life, true)) {",
                "if (!target.state.run_found(next.life, true) && false) {"),
    swap_mutant("swap-without-server", "the server passes with the swap (B4)", WAITING,
                "target.server = self.server;\n  self.why", "self.why"),
    swap_mutant("swap-of-other-kinds", "a swap is between tasks that can (B12)", API,
                "if (!may_swap(*self, *target.who)) return fail(not_suitable(*target.who));", ""),
    Mutant("swap-to-the-dead", "a swap to an ended task says so (B13, B14, B50)",
           ((API, "if (!is_registered(target)) return fail(ESRCH);\n  if (!may_swap",
             "if (!may_swap"),
            (API, "return found.kind == task_kind::none ? ESRCH : EINVAL;", "return EINVAL;"))),

    # --- ids, registration, errors ---
    mutant("ids-come-twice", "an id means one thread for ever (B30 to B32, B43)", TABLE,
           "dead.generation.fetch_add(1);", ""),
    Mutant("counted-late", "a worker that has never run is a member (B29)",
           ((MEMBERSHIP, "  in.members.fetch_add(1);\n  return 0;", "  return 0;"),
            (MEMBERSHIP, "  commit(in.plug->enter(self));\n",
             "  commit(in.plug->enter(self));\n  in.members.fetch_add(1);\n"),
            (MEMBERSHIP, "  self.state.begin(task_state::running);\n"
             "  current_task = &self;\n",
             "  in.members.fetch_add(1);\n"
             "  self.state.begin(task_state::running);\n"
             "  current_task = &self;\n"))),
    mutant("thread-end-unnoticed", "a thread that ends is unregistered (B36)", MEMBERSHIP,
           "if (current_task != nullptr) unregister(stop::exited);", "current_task = nullptr;"),
    mutant("registered-twice", "a thread is one task at a time", MEMBERSHIP,
           "int become(group& in, task_kind kind, std::intptr_t tag) noexcept {\n"
           "  if (current_task != nullptr) return EINVAL;",
           "int become(group& in, task_kind kind, std::intptr_t tag) noexcept {"),
    mutant("preempts-anybody", "only groups made for it are preempted (B41)",
           "src/libumcg/preemption.cpp", "if (!who.preemptible) return ENOTSUP;", ""),
    mutant("wake-needs-registration", "any thread may wake (B15)", API,
           "if (next == UMCG_NONE) return fail(EINVAL);\n  const task_reference target",
           "if (next == UMCG_NONE || current_task == nullptr) return fail(EINVAL);\n"
           "  const task_reference target"),
    mutant("runs-the-listed", "who is in the list belongs to it", API,
           "if (!chosen.state.run_found(target.life, false)) return",
           "if (!chosen.state.run_found(target.life, false) && "
           "!(chosen.state.hold() && chosen.state.run_held())) return"),
    mutant("waits-in-a-region", "a worker without a server cannot wait", API,
           "if (self->blocking != 0) return fail(EBUSY);\n"
           "  const core::preempt_guard guard(self);\n"
           "  return core::wait",
           "const core::preempt_guard guard(self);\n  return core::wait"),
)
