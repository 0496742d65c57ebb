# SPDX-License-Identifier: MIT
"""Programs that the bench starts. Each lives no longer than its `with` block, nor than the bench
itself."""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

PR_SET_PDEATHSIG = 1
OUTPUT_BYTES_MAX = 1 << 20
LIBC = ctypes.CDLL(None, use_errno=True)


class ChildFailed(Exception):
    """A program ended early, did not end, or did not do what it is for."""


def pinned(command, cpu):
    """The command line that runs `command` on one CPU; None: wherever the kernel likes."""
    return command if cpu is None else ["taskset", "--cpu-list", str(cpu), *command]


def set_session_priority(nice):
    """Where the kernel shares the CPUs between autogroups and not between processes, a
    priority means something only if the session has it too."""
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(nice))


def before_exec():
    """Runs in the new process, which must not outlive the bench and has a session of its own."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    if nice != 0:
        set_session_priority(nice)


class Child:
    """A running program whose output goes to a file. In a session of its own, so Ctrl-C reaches the
    bench only."""

    def __init__(self, command, directory=None, stop_signal=signal.SIGTERM, stop_seconds=10):
        if not shutil.which(command[0]):
            raise ChildFailed(f"{command[0]}: no such program")
        self.command = command
        self.stop_signal = stop_signal
        self.stop_seconds = stop_seconds
        self.output = tempfile.TemporaryFile()
        self.running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=subprocess.STDOUT, cwd=directory,
                                        start_new_session=True, preexec_fn=before_exec)
        self.pid = self.running.pid

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        try:
            if self.running.poll() is None:
                self.stop()
        except ChildFailed:
            if kind is None:  # else the error on its way is the cause and this one its effect
                raise
        finally:
            self.kill()
            self.output.close()

    def text(self):
        """What it has printed. Read without seeking: the program writes at the same file
        position."""
        return os.pread(self.output.fileno(), OUTPUT_BYTES_MAX, 0).decode(errors="replace")

    def failure(self, what):
        last_lines = "\n  ".join(self.text().strip().splitlines()[-15:])
        return ChildFailed(f"{' '.join(self.command)}: {what}\n  {last_lines}".rstrip())

    def check_alive(self):
        if self.running.poll() is not None:
            raise self.failure(f"ended early, status {self.running.returncode}")

    def stop(self):
        """Asks it to end and waits. Returns its exit status; raises ChildFailed if it does not end
        in time."""
        self.running.send_signal(self.stop_signal)
        try:
            return self.running.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            raise self.failure(f"did not stop within {self.stop_seconds} s") from None

    def kill(self):
        """The last resort; its own children are in its session and get the signal too."""
        if self.running.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self.running.wait()
