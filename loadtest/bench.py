# SPDX-License-Identifier: MIT
"""Measures umcg-httpd beside its peers. `./dev bench` builds everything and calls this.

  bench.py [OPTIONS]          run the suite, print tables, write JSON and SVG
  bench.py show FILE.json     print the tables of a finished run again, and redraw its image
  bench.py switch [OPTIONS]   the micro benchmark of context switches
  bench.py wakes [OPTIONS]    how long a woken worker waits beside an idle server
  bench.py sync [OPTIONS]     what locking and waiting for each other costs
  bench.py locks [OPTIONS]    std::mutex between workers, with and without libumcg-posix
  bench.py hand-offs [OPTIONS]  what becomes of others when workers block or compute for ever
  bench.py tls [OPTIONS]      HTTPS beside nginx's: requests, handshakes, idle connections
"""

import argparse
import atexit
import datetime
import json
import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from runner import children, figures, plot, report, servers, tcp_counters, tls_suite
from runner.suite import IDLE, Settings, Suite
from runner.wrk import SCENARIOS

LOADTEST = Path(__file__).resolve().parent
ROOT = LOADTEST.parent
SPARE_DESCRIPTORS = 200


class Unusable(Exception):
    """The bench cannot run as asked; the text says why and what to do."""


def parse_arguments(words):
    parser = argparse.ArgumentParser(description=__doc__, prog="bench",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, help="measured seconds of each run (3)")
    parser.add_argument("--rounds", type=int, help="runs of each scenario and server (5)")
    parser.add_argument("--scenarios", default=",".join([*SCENARIOS, IDLE]),
                        help="of %(default)s (all)")
    parser.add_argument("--servers", default=",".join(servers.DEFAULT_SERVERS),
                        help=f"of {', '.join(servers.known_servers('.'))} (%(default)s)")
    parser.add_argument("--build", default=str(ROOT / "build/release"),
                        help="the build directory (build/release)")
    parser.add_argument("--output", type=Path,
                        help="JSON file to write, the image goes beside it "
                             "(loadtest/baseline/DATE.json; with --quick build/bench/quick.json)")
    parser.add_argument("--quick", action="store_true",
                        help="2 rounds of 1 s, 1,000 idle connections: not for quoting")
    parser.add_argument("--nice", type=int, default=0,
                        help="priority of all servers and of wrk: negative (root only) where "
                             "others use the machine")
    arguments = parser.parse_args(words)
    if arguments.seconds is None:
        arguments.seconds = 1.0 if arguments.quick else 3.0
    if arguments.rounds is None:
        arguments.rounds = 2 if arguments.quick else 5
    if not 0.2 <= arguments.seconds <= 60:
        parser.error("--seconds: 0.2 to 60")
    if not 1 <= arguments.rounds <= 100:
        parser.error("--rounds: 1 to 100")
    return arguments


def chosen_scenarios(text):
    names = text.split(",")
    for name in names:
        if name not in SCENARIOS and name != IDLE:
            raise Unusable(f"no scenario {name!r}; there are {', '.join([*SCENARIOS, IDLE])}")
    return names


def chosen_servers(arguments):
    """Those asked for that exist here, and a note for each default one that does not."""
    known = servers.known_servers(arguments.build)
    by_default = arguments.servers == ",".join(servers.DEFAULT_SERVERS)
    chosen, notes = [], []
    for name in arguments.servers.split(","):
        if name not in known:
            raise Unusable(f"no server {name!r}; there are {', '.join(known)}")
        reason = known[name].missing()
        if reason and not by_default:
            raise Unusable(reason)
        if reason:
            notes.append(f"{name} was left out: {reason}")
        else:
            chosen.append(known[name])
    if not chosen:
        raise Unusable("no server to measure: " + "; ".join(notes))
    return chosen, notes


def raise_descriptor_limit(needed):
    """To `needed` or as far as it goes, for all that is started too. Returns the limit reached."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed and os.geteuid() == 0:
        hard = needed
    limit = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit


def within_descriptor_limit(scenarios, idle_connections):
    """The scenarios that the limit on open files allows, and a note for each other one."""
    needs = {name: SCENARIOS[name].connections if name in SCENARIOS else idle_connections
             for name in scenarios}
    limit = raise_descriptor_limit(max(needs.values()) + SPARE_DESCRIPTORS)
    possible = [name for name in scenarios if needs[name] + SPARE_DESCRIPTORS <= limit]
    notes = [f"{name} was left out: it needs {needs[name] + SPARE_DESCRIPTORS} open files, "
             f"the limit is {limit} (ulimit -n)" for name in scenarios if name not in possible]
    if not possible:
        raise Unusable("; ".join(notes))
    return possible, notes


def check_machine():
    for program in ("wrk", "taskset"):
        if not shutil.which(program):
            raise Unusable(f"{program} is not installed")
    if not {servers.SERVER_CPU, servers.LOAD_CPU} <= os.sched_getaffinity(0):
        raise Unusable(f"needs the CPUs {servers.SERVER_CPU} for the server and "
                       f"{servers.LOAD_CPU} for the load")
    try:
        tcp_counters.acknowledged(port=1, answer_bytes=1)
    except OSError as error:
        raise Unusable(f"the kernel does not show its TCP counters: {error}") from None


def set_priority(nice):
    """Of the bench, which all that it starts inherits: if wrk had a higher one than the bench, the
    bench would read its counters seconds late. The session is the user's and gets its own back."""
    if nice == 0:
        return
    try:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    except PermissionError:
        raise Unusable(f"--nice {nice}: only root may raise a priority") from None
    children.set_session_priority(nice)
    atexit.register(children.set_session_priority, 0)


def run_suite(words):
    arguments = parse_arguments(words)
    check_machine()
    idle_connections = 1000 if arguments.quick else 5000
    scenarios, notes = within_descriptor_limit(chosen_scenarios(arguments.scenarios),
                                               idle_connections)
    chosen, more_notes = chosen_servers(arguments)
    notes += more_notes
    if arguments.quick:
        notes.append("--quick: these figures are too few and too short to be quoted")
    for note in notes:
        print(note, file=sys.stderr)
    os.sched_setaffinity(0, {servers.LOAD_CPU})
    set_priority(arguments.nice)
    suite = Suite(Settings(arguments.seconds, arguments.rounds, tuple(scenarios), tuple(chosen),
                           idle_connections, arguments.nice,
                           shlex.join(["./dev", "bench", *words])))
    suite.notes += notes
    results = suite.run()
    write(results, arguments.output or default_output(arguments.quick))
    return show(results)


def default_output(quick):
    if quick:
        return ROOT / "build/bench/quick.json"
    return LOADTEST / "baseline" / f"{datetime.date.today().isoformat()}.json"


def write(results, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")
    print(f"wrote {path}", file=sys.stderr)
    write_image(results, path)


def write_image(results, path):
    image = plot.svg(results)
    if image:
        path.with_suffix(".svg").write_text(image)
        print(f"wrote {path.with_suffix('.svg')}", file=sys.stderr)


def show(results):
    """Prints the tables. 1 if any run failed, else 0."""
    print(report.text(results))
    return 1 if results["failures"] else 0


def show_file(words):
    if len(words) != 1:
        raise Unusable("bench.py show FILE.json")
    path = Path(words[0])
    results = json.loads(path.read_text())
    results["figures"] = figures.all_figures(results["load_runs"], results["idle_runs"])
    write_image(results, path)
    return show(results)


def run_switch(words):
    parser = argparse.ArgumentParser(prog="bench switch", description="What it costs to stop one "
                                     "thread and run another, over each kernel half.")
    parser.add_argument("--rounds", type=int, default=7, help="of each measurement (7)")
    rounds = str(parser.parse_args(words).rounds)
    return run_programs([["switch_bench", rounds],
                         *(["ping_pong_bench", "--kernel", half, "--rounds", rounds]
                           for half in ("usermode", "futex"))])


def run_wakes(words):
    parser = argparse.ArgumentParser(prog="bench wakes", description="How long a woken worker "
                                     "waits beside a server that has nothing to do, over each "
                                     "kernel half, beside threads on futexes.")
    parser.add_argument("--seconds", type=int, default=60, help="of each game, of which there are "
                        "four (60)")
    seconds = str(parser.parse_args(words).seconds)
    return run_programs([["wake_latency_bench", "--kernel", half, "--seconds", seconds]
                         for half in ("usermode", "futex")])


def run_sync(words):
    parser = argparse.ArgumentParser(prog="bench sync", description="What it costs to lock, to "
                                     "hand values over and to wait for each other, between "
                                     "workers and between threads, beside what threads have.")
    parser.add_argument("--rounds", type=int, default=7, help="of each measurement (7)")
    return run_programs([["sync_bench", "--rounds", str(parser.parse_args(words).rounds)]])


def run_locks(words):
    parser = argparse.ArgumentParser(prog="bench locks", description="What std::mutex and "
                                     "std::condition_variable cost between workers, with and "
                                     "without libumcg-posix.")
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement (5)")
    rounds = str(parser.parse_args(words).rounds)
    return run_programs([[name, "--rounds", rounds, "--servers", servers]
                         for servers in ("1", "2")
                         for name in ("posix_bench", "posix_bench_without")])


def run_hand_offs(words):
    parser = argparse.ArgumentParser(prog="bench hand-offs", description="How long a server stays "
                                     "with a worker that blocks its kernel thread, by each way of "
                                     "noticing it, and how late other workers are meanwhile.")
    parser.add_argument("--rounds", type=int, default=400, help="blocks of each kind (400)")
    parser.add_argument("--seconds", type=int, default=10, help="of each game (10)")
    given = parser.parse_args(words)
    options = ["--rounds", str(given.rounds), "--seconds", str(given.seconds)]
    return run_programs([["hand_off_bench", "all", *options],
                         ["hand_off_bench", "ticks", "--servers", "2", *options],
                         ["hand_off_bench", "mutex", "--servers", "2", *options]])


def run_tls(words):
    parser = argparse.ArgumentParser(prog="bench tls", description="What HTTPS costs beside "
                                     "nginx: a request on a kept connection, a connection with a "
                                     "full handshake, an idle connection.")
    parser.add_argument("--seconds", type=int, default=3, help="of each run (3)")
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement (5)")
    parser.add_argument("--connections", type=int, default=1000, help="idle ones (1000)")
    parser.add_argument("--build", default=str(ROOT / "build/release"),
                        help="the build directory (build/release)")
    parser.add_argument("--nice", type=int, default=0, help="as of the suite")
    settings = parser.parse_args(words)
    raise_descriptor_limit(settings.connections + SPARE_DESCRIPTORS)
    known = servers.known_servers(settings.build)
    chosen = [known["umcg-httpd"], known["umcg-epoll"], tls_suite.asio_ssl(settings.build),
              known["nginx"]]
    for reason in filter(None, (server.missing() for server in chosen)):
        raise Unusable(reason)
    os.sched_setaffinity(0, {servers.LOAD_CPU})
    set_priority(settings.nice)
    print(tls_suite.run(settings, chosen, lambda line: print(line, file=sys.stderr, flush=True)))
    return 0


def run_programs(commands):
    """Runs programs of the load test one after the other. Returns an exit status."""
    status = 0
    for name, *options in commands:
        program = ROOT / "build/release/loadtest" / name
        if not program.exists():
            raise Unusable(f"{program} is not built; `./dev build` does that")
        print(flush=True)
        status = max(status, subprocess.run([program, *options], check=False).returncode)
    return status


def interrupt(number, frame):
    """As Ctrl-C: unwinds every `with` block, so nothing that was started stays behind."""
    raise KeyboardInterrupt


def main(words):
    signal.signal(signal.SIGTERM, interrupt)
    commands = {"switch": run_switch, "wakes": run_wakes, "sync": run_sync,
                "locks": run_locks, "hand-offs": run_hand_offs, "tls": run_tls,
                "show": show_file}
    try:
        if words and words[0] in commands:
            return commands[words[0]](words[1:])
        return run_suite(words)
    except Unusable as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bench: interrupted; what it started has ended", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
