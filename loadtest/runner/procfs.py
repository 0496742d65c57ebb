# SPDX-License-Identifier: MIT
"""What the kernel says about a process and about the machine: CPU time, resident memory, who else
was busy."""

import os
import platform
import re
import subprocess
import time
from pathlib import Path

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User plus system time of all threads, also of those that have ended, by the process's own
    clock (nanoseconds)."""
    whole_process_clock = ~pid << 3 | 2  # what clock_getcpuclockid() computes on Linux
    return time.clock_gettime_ns(whole_process_clock) / 1e9


def user_and_system_ticks(pid):
    """The kernel samples the split at each timer tick, so it is good for a share over seconds, not
    for a total."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]), int(fields[12])


def children(pid):
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        found += [int(word) for word in (thread / "children").read_text().split()]
    return found


def resident_bytes(pid):
    """Counted page by page where the kernel offers it; the total in status may lag by some pages
    for each CPU."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return int(re.search(r"^Rss:\s+(\d+) kB", text, re.MULTILINE).group(1)) * 1024
    except OSError:
        text = Path(f"/proc/{pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB", text, re.MULTILINE).group(1)) * 1024


def busy_seconds(cpu):
    """Time in which a CPU was not idle, stolen time included."""
    text = Path("/proc/stat").read_text()
    fields = re.search(rf"^cpu{cpu} (.*)$", text, re.MULTILINE).group(1).split()
    user, nice, system, idle, iowait, irq, softirq, steal = (int(field) for field in fields[:8])
    return (user + nice + system + irq + softirq + steal) * TICK_SECONDS


def first_line(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
        return (done.stdout + done.stderr).strip().splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return "unknown"


def machine():
    processor = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    clock = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    return {
        "architecture": platform.machine(),
        "processor": processor.group(1) if processor else "unknown",
        "cpus": os.cpu_count(),
        "memory_mib": int(memory.group(1)) // 1024,
        "hypervisor": " hypervisor" in Path("/proc/cpuinfo").read_text(),
        "kernel": platform.release(),
        "clock_source": clock.read_text().strip() if clock.exists() else "unknown",
        "getppid_us": round(system_call_microseconds(), 3),
        "load_average": os.getloadavg()[0],
    }


def system_call_microseconds():
    """The price of the cheapest system call here, Python's own part taken off: it explains much of
    the rest."""
    rounds = 20_000

    def timed(call):
        start = time.perf_counter_ns()
        for _ in range(rounds):
            call()
        return (time.perf_counter_ns() - start) / rounds / 1000

    nothing = {}
    return max(0.0, min(timed(os.getppid) for _ in range(5)) -
               min(timed(nothing.clear) for _ in range(5)))
