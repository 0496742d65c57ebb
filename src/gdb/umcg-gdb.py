# SPDX-License-Identifier: MIT
"""Workers in gdb, in a running program and in a core file.

  info workers               all workers: what each does, waits for, and where
  worker N bt                the stack of worker N; any other command works as well,
  worker N frame 3             and sees that stack: its first frame is frame 1
  worker apply all bt        the stacks of all of them

gdb loads this by itself with libumcg.so where it is installed below gdb's own data directory; for a
statically linked program: `source umcg-gdb.py`. It needs libumcg's debug information.
"""

import collections
import re

import gdb
import gdb.unwinder

PAGE_OF_CHUNK = 256
STATE_MASK = 0x3F
RUNNING, IDLE, BLOCKED = 1, 2, 3
IN_LIST, IN_HAND, IN_WAIT = 1 << 13, 1 << 14, 1 << 16

Layout = collections.namedtuple("Layout", "sp pc size offsets")
# What a saved stack holds, from its stack pointer up: src/kernel/usermode/switch_*.S.
LAYOUTS = {
    "x86-64": Layout("rsp", "rip", 64, {"r15": 8, "r14": 16, "r13": 24, "r12": 32, "rbx": 40,
                                        "rbp": 48, "rip": 56}),
    "aarch64": Layout("sp", "pc", 176, {"pc": 88, **{f"x{19 + number}": 8 * number
                                                     for number in range(11)}}),
}


def atomic(value):
    """What a std::atomic holds."""
    fields = {field.name for field in value.type.strip_typedefs().fields()}
    if "_M_i" in fields:
        return value["_M_i"]
    inner = value["_M_b"] if "_M_b" in fields else value[value.type.fields()[0]]
    names = {field.name for field in inner.type.strip_typedefs().fields()}
    return inner["_M_p"] if "_M_p" in names else inner["_M_i"]


def type_named(name):
    return gdb.lookup_type("umcg::" + name)


class Worker:
    """One task of the task table."""

    def __init__(self, task):
        self.task = task
        self.number = int(task["slot"])
        self.state = int(atomic(task["state"]["word_"]))

    def name(self):
        return self.task["name"]["_M_elems"].string()

    def kind(self):
        return str(atomic(self.task["kind"])).rsplit("::", 1)[-1]

    def exists(self):
        return self.kind() == "worker" and self.state & STATE_MASK != 0

    def place(self):
        return self.state & (STATE_MASK | IN_LIST | IN_HAND | IN_WAIT)

    def in_region(self):
        return self.place() == BLOCKED and int(self.task["server"]) == 0

    def runs(self):
        return self.place() == RUNNING or self.in_region()

    def is_hosted(self):
        plug = atomic(self.task["plug"])
        return "usermode" in str(plug.dereference().dynamic_type)

    def half(self):
        """What the kernel half keeps in the task."""
        name = ("kernel::usermode::hosted" if self.is_hosted()
                else "kernel::futex::(anonymous namespace)::threaded")
        return self.task["half_storage"].address.cast(type_named(name).pointer()).dereference()

    def stack_pointer(self):
        """Where its registers are saved; 0: a kernel thread has them."""
        if self.runs() or not self.is_hosted():
            return 0
        return int(self.half()["saved"]["stack_pointer"])

    def kernel_thread(self):
        if not self.is_hosted():
            return int(atomic(self.half()["kernel_thread"]))
        carrier = atomic(self.half()["on"]["carrier_"])
        return int(atomic(carrier.dereference()["kernel_thread"])) if int(carrier) else 0

    def occupation(self):
        if self.in_region():
            return "in a blocking region"
        if self.place() == RUNNING:
            return "runs"
        if self.state & (IN_LIST | IN_HAND):
            return "can run"
        note = self.task["waits_for"]
        if int(note) == 0:
            return "waits"
        reason = str(note["reason"]).rsplit("::", 1)[-1]
        subject = int(note["subject"])
        if reason in ("accept", "connect", "receive", "send", "send_then_receive", "read", "write",
                      "readable"):
            return f"{reason} on fd {subject}"
        return f"{reason} {subject:#x}" if subject not in (0, 2**64 - 1) else reason


def workers():
    table = gdb.parse_and_eval("'umcg::libumcg::(anonymous namespace)::tasks'")
    chunks = table["chunks"]["_M_elems"]
    for at in range(int(table["used"]) // PAGE_OF_CHUNK + 1):
        chunk = atomic(chunks[at])
        if int(chunk) == 0:
            return
        for place in range(PAGE_OF_CHUNK):
            worker = Worker(chunk.dereference()["_M_elems"][place])
            if worker.exists():
                yield worker


class FrameId:
    """gdb has one of its own only since version 14, and wants the same of it."""

    def __init__(self, stack_pointer, program_counter):
        self.sp = stack_pointer
        self.pc = program_counter


class ParkedFrames(gdb.unwinder.Unwinder):
    """Lets the selected thread's innermost frame have a parked worker for its caller."""

    def __init__(self):
        super().__init__("umcg-parked-worker")
        self.use = None
        self.saved = 0
        self.innermost = None

    @staticmethod
    def layout():
        architecture = gdb.selected_frame().architecture().name()
        return LAYOUTS["aarch64" if architecture.startswith("aarch64") else "x86-64"]

    def show(self, saved):
        frame = gdb.newest_frame()
        self.use = self.layout()
        self.innermost = (frame.pc(), int(frame.read_register(self.use.sp)))
        self.saved = saved
        gdb.invalidate_cached_frames()

    def hide(self):
        self.innermost = None
        gdb.invalidate_cached_frames()

    def __call__(self, pending):
        if self.innermost is None:
            return None
        here = tuple(int(pending.read_register(name)) for name in (self.use.pc, self.use.sp))
        if here != self.innermost:
            return None
        word = gdb.lookup_type("unsigned long")
        self.innermost = None  # this frame only
        memory = gdb.Value(self.saved).cast(word.pointer())
        if int(memory[self.use.offsets[self.use.pc] // 8]) == 0:
            return None  # a core file without the worker's stack
        # Its own stack pointer, so that the worker's frames lie above it.
        identity = FrameId(gdb.Value(self.saved).cast(word), gdb.Value(here[0]).cast(word))
        info = pending.create_unwind_info(identity)
        for register, offset in self.use.offsets.items():
            info.add_saved_register(register, memory[offset // 8])
        info.add_saved_register(self.use.sp, gdb.Value(self.saved + self.use.size).cast(word))
        return info


PARKED = ParkedFrames()
gdb.unwinder.register_unwinder(None, PARKED, replace=True)


def without_innermost(text):
    """The frames of a backtrace but for frame 0, which is the thread's, counted from 0 again."""
    lines = text.splitlines(keepends=True)
    first = next((at for at, line in enumerate(lines) if line.startswith("#1 ")), len(lines))
    return re.sub(r"^#(\d+) *", lambda found: f"#{int(found[1]) - 1} ".ljust(4),
                  "".join(lines[first:]), flags=re.MULTILINE)


def run_parked(worker, command):
    before = gdb.selected_frame()
    try:
        PARKED.show(worker.stack_pointer())
        caller = gdb.newest_frame().older()
        if caller is None:
            raise gdb.GdbError(f"the stack of worker {worker.number} cannot be read")
        caller.select()
        text = gdb.execute(command, to_string=True)
    finally:
        PARKED.hide()
        if before.is_valid():
            before.select()
    return without_innermost(text) if re.match(r"(bt|backtrace|where)\b", command) else text


def run_running(worker, command):
    wanted = worker.kernel_thread()
    before = gdb.selected_thread()
    for thread in gdb.selected_inferior().threads():
        if wanted in thread.ptid:
            try:
                thread.switch()
                return gdb.execute(command, to_string=True)
            finally:
                before.switch()
    raise gdb.GdbError(f"worker {worker.number} has no thread here (it was on {wanted})")


def run_on(worker, command):
    if worker.stack_pointer() != 0:
        return run_parked(worker, command)
    return run_running(worker, command)


class InfoWorkers(gdb.Command):
    """All workers: number, name, what each does, and the thread that runs it."""

    def __init__(self):
        super().__init__("info workers", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        rows = [("Worker", "Name", "Does", "Thread")]
        for worker in workers():
            thread = str(worker.kernel_thread()) if worker.stack_pointer() == 0 else "-"
            rows.append((str(worker.number), f'"{worker.name()}"', worker.occupation(), thread))
        if len(rows) == 1:
            print("No workers.")
            return
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        for row in rows:
            print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())


class OfWorker(gdb.Command):
    """worker N COMMAND, worker apply all COMMAND: runs a command with a worker's stack."""

    def __init__(self):
        super().__init__("worker", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        found = re.fullmatch(r"(\d+|apply\s+all)\s*(\S.*)?", argument.strip())
        if not found:
            raise gdb.GdbError("worker N COMMAND, or worker apply all COMMAND")
        command = found[2] or "bt"
        chosen = [worker for worker in workers()
                  if not found[1].isdigit() or worker.number == int(found[1])]
        if not chosen and found[1].isdigit():
            raise gdb.GdbError(f"No worker {found[1]}.")
        for worker in chosen:
            if not found[1].isdigit():
                print(f'\nWorker {worker.number} "{worker.name()}", {worker.occupation()}:')
            try:
                print(run_on(worker, command), end="")
            except gdb.error as problem:
                print(f"worker {worker.number}: {problem}")


InfoWorkers()
OfWorker()
