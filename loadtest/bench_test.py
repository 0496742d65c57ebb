# SPDX-License-Identifier: MIT
"""The parts of the bench that compute and parse. Needs no server: python3 bench_test.py"""

import os
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
import unittest
import xml.etree.ElementTree
from pathlib import Path

import bench
from runner import figures, load, plot, procfs, report, servers, suite
from runner import system_calls, tcp_counters, wrk
from runner.children import Child, ChildFailed

WRK_OUTPUT = """\
Running 3s test @ http://127.0.0.1:8080/plaintext
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   501.38us    1.06ms  24.25ms   98.32%
    Req/Sec   152.10k    10.52k  170.55k    70.00%
  Latency Distribution
     50%  364.00us
     75%  460.00us
     90%  620.00us
     99%    2.53ms
  454121 requests in 3.01s, 60.20MB read
Requests/sec: 150871.43
Transfer/sec:     20.00MB
"""
WRK_ERRORS = WRK_OUTPUT.replace(
    "Requests/sec",
    "  Socket errors: connect 1, read 20, write 300, timeout 4000\n"
    "  Non-2xx or 3xx responses: 17\nRequests/sec")


def run(number, scenario, server, cpu_us, **others):
    return {"round": number, "scenario": scenario, "server": server, "cpu_us": cpu_us,
            "user_us": cpu_us / 4, "system_us": cpu_us * 3 / 4, "requests_per_second": 1e6 / cpu_us,
            "p50_us": 100.0, "p99_us": 900.0, "server_busy": 1.0, "server_cpu_disturbed": 0.0,
            "socket_errors": 0, "bad_statuses": 0, **others}


# The machine is twice as slow in round 1: ratios must not see that.
RUNS = [
    run(0, "c64", "umcg-httpd", 6.0), run(0, "c64", "raw_server", 5.0),
    run(1, "c64", "raw_server", 10.0), run(1, "c64", "umcg-httpd", 12.2),
    run(2, "c64", "umcg-httpd", 5.9), run(2, "c64", "raw_server", 5.0),
    run(0, "c10000", "umcg-httpd", 9.0), run(0, "c10000", "raw_server", 6.0),
    run(1, "c10000", "umcg-httpd", 18.3), run(1, "c10000", "raw_server", 12.0),
]


def results(runs=RUNS, idle_runs=(), failures=()):
    return {
        "machine": {"processor": "Test <CPU> & more", "cpus": 2, "kernel": "6.1",
                    "getppid_us": 0.1},
        "settings": {"rounds": 3, "seconds": 1},
        "scenarios": [vars(scenario) for scenario in wrk.SCENARIOS.values()],
        "figures": figures.all_figures(list(runs), list(idle_runs)),
        "system_calls": {"c64": {"umcg-httpd": 0.125}},
        "notes": ["a note"],
        "failures": list(failures),
        "load_runs": list(runs),
        "idle_runs": list(idle_runs),
    }


class WrkTest(unittest.TestCase):
    def test_summary(self):
        summary = wrk.parse(WRK_OUTPUT)
        self.assertEqual(summary.requests, 454121)
        self.assertAlmostEqual(summary.seconds, 3.01)
        self.assertAlmostEqual(summary.requests_per_second, 150871.43)
        self.assertAlmostEqual(summary.p50_us, 364)
        self.assertAlmostEqual(summary.p99_us, 2530)
        self.assertEqual(summary.errors, 0)

    def test_every_kind_of_error_is_counted(self):
        summary = wrk.parse(WRK_ERRORS)
        self.assertEqual(summary.socket_errors, 4321)
        self.assertEqual(summary.bad_statuses, 17)
        self.assertEqual(summary.errors, 4338)

    def test_output_without_summary_is_an_error(self):
        for missing in ("requests in", "Requests/sec", "50%", "99%"):
            text = "\n".join(line for line in WRK_OUTPUT.splitlines() if missing not in line)
            with self.assertRaises(ValueError, msg=missing):
                wrk.parse(text)

    def test_long_durations_are_padded(self):
        summary = wrk.parse(WRK_OUTPUT.replace("  2.53ms", " 11.49s "))
        self.assertAlmostEqual(summary.p99_us, 11.49e6)

    def test_units(self):
        for text, value in (("5.00us", 5), ("1.50ms", 1500), ("2.00s", 2e6), ("1.00m", 6e7)):
            self.assertAlmostEqual(wrk.microseconds(text), value)

    def test_pipelined_run_has_a_depth_and_no_percentiles(self):
        scenario = wrk.SCENARIOS["pipelined"]
        words = wrk.command(scenario, "http://x/", 5)
        self.assertEqual(words[-3:], ["http://x/", "--", "16"])
        measured = load.wrk_figures(wrk.parse(WRK_OUTPUT), scenario)
        self.assertIsNone(measured["p99_us"])


class FiguresTest(unittest.TestCase):
    def test_spread(self):
        self.assertEqual(figures.spread([3, None, 1, 9]),
                         {"median": 3, "min": 1, "max": 9, "count": 3})
        self.assertEqual(figures.spread([1, 2])["median"], 1.5)
        self.assertIsNone(figures.spread([None]))

    def test_ratios_are_taken_inside_of_a_round(self):
        found = figures.ratios(RUNS)["c64"]["umcg-httpd"]["raw_server"]["cpu_us"]
        self.assertAlmostEqual(found["min"], 1.18)
        self.assertAlmostEqual(found["median"], 1.20)
        self.assertAlmostEqual(found["max"], 1.22)

    def test_round_that_misses_a_server_has_no_ratio(self):
        runs = [one for one in RUNS if (one["round"], one["server"]) != (1, "raw_server")]
        found = figures.ratios(runs)["c64"]["umcg-httpd"]["raw_server"]["cpu_us"]
        self.assertEqual(found["count"], 2)
        self.assertIsNone(figures.ratios(runs)["c64"]["umcg-httpd"]["nginx"]["cpu_us"])

    def test_growth_beyond_the_reference(self):
        growth = figures.growth_figures(RUNS)
        self.assertAlmostEqual(growth["raw_server"]["alone"]["median"], 1.2)
        self.assertAlmostEqual(growth["umcg-httpd"]["alone"]["median"], 1.5)
        self.assertAlmostEqual(growth["umcg-httpd"]["beyond_raw_server"]["median"], 1.25)

    def test_targets(self):
        idle_runs = [{"server": "umcg-httpd", "bytes_per_connection": size}
                     for size in (9e3, 13e3, 11e3)]
        kept = [target["kept"] for target in figures.all_figures(RUNS, idle_runs)["targets"]]
        self.assertEqual(kept, [False, None, None, True, True])

    def test_nothing_measured(self):
        empty = figures.all_figures([], [])
        self.assertTrue(all(target["kept"] is None for target in empty["targets"]))


class IntervalTest(unittest.TestCase):
    def snapshots(self, **changes):
        before = load.Snapshot(1000, 10.0, 1.0, 100, 200, 5.0, 6.0, 2.0)
        after = load.Snapshot(**{**vars(before), "answered": 101000, "when": 12.0, "cpu": 2.0,
                                 "user_ticks": 125, "system_ticks": 275, "server_cpu_busy": 6.4,
                                 "load_cpu_busy": 8.0, "load_cpu": 3.8, **changes})
        return before, after

    def test_figures(self):
        measured = load.interval_figures(*self.snapshots())
        self.assertEqual(measured["requests"], 100000)
        self.assertAlmostEqual(measured["requests_per_second"], 50000)
        self.assertAlmostEqual(measured["cpu_us"], 10)
        self.assertAlmostEqual(measured["user_us"], 2.5)
        self.assertAlmostEqual(measured["system_us"], 7.5)
        self.assertAlmostEqual(measured["server_busy"], 0.5)
        self.assertAlmostEqual(measured["server_cpu_disturbed"], 0.2)
        self.assertAlmostEqual(measured["load_cpu_disturbed"], 0.1)

    def test_split_is_unknown_without_ticks(self):
        measured = load.interval_figures(*self.snapshots(user_ticks=100, system_ticks=200))
        self.assertIsNone(measured["user_us"])
        self.assertAlmostEqual(measured["cpu_us"], 10)

    def test_no_request_is_an_error(self):
        with self.assertRaises(ValueError):
            load.interval_figures(*self.snapshots(answered=1000))


class SystemCallsTest(unittest.TestCase):
    def test_perf(self):
        text = "Events disabled\n123456,,raw_syscalls:sys_enter,2618578,100.00,,\n"
        self.assertEqual(system_calls.parse_perf(text), 123456)
        with self.assertRaises(ChildFailed):
            system_calls.parse_perf("<not counted>,,raw_syscalls:sys_enter,0,100.00,,\n")

    def test_strace(self):
        text = ("% time     seconds  usecs/call     calls    errors syscall\n"
                "------ ----------- ----------- --------- --------- ----------------\n"
                " 66.67    0.002000          20       100           io_uring_enter\n"
                " 33.33    0.001000          50        20         3 futex\n"
                "------ ----------- ----------- --------- --------- ----------------\n"
                "100.00    0.003000          25       120         3 total\n")
        self.assertEqual(system_calls.parse_strace(text), 120)
        with self.assertRaises(ChildFailed):
            system_calls.parse_strace("")


class TcpCountersTest(unittest.TestCase):
    def diag_message(self, acked, before=b""):
        info = bytes(tcp_counters.BYTES_ACKED_OFFSET) + struct.pack("=Q", acked) + bytes(64)
        return (bytes(tcp_counters.DIAG_MESSAGE_BYTES) + before +
                struct.pack("=HH", 4 + len(info), tcp_counters.INET_DIAG_INFO) + info)

    def test_info_is_found_behind_other_attributes(self):
        other = struct.pack("=HH", 5, 9) + bytes(4)  # one byte, padded to four
        self.assertEqual(tcp_counters.bytes_acked(self.diag_message(77, other)), 77)

    def test_message_without_info(self):
        self.assertIsNone(tcp_counters.bytes_acked(bytes(tcp_counters.DIAG_MESSAGE_BYTES)))
        self.assertIsNone(tcp_counters.bytes_acked(self.diag_message(1)[:100]))
        self.assertIsNone(tcp_counters.bytes_acked(bytes(100)))

    def test_real_connections(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
            accepted = [listener.accept()[0] for _ in clients]
            accepted[0].sendall(b"x" * 100)
            accepted[1].sendall(b"x" * 49)
            received = [clients[0].recv(100), clients[1].recv(100)]
            try:
                found = tcp_counters.acknowledged(port, 50)
            except OSError as error:
                self.skipTest(f"no TCP counters: {error}")
            for each in clients + accepted:
                each.close()
        self.assertEqual(received, [b"x" * 100, b"x" * 49])
        self.assertEqual((found.connections, found.served, found.total_bytes), (3, 1, 149))


class ProcfsTest(unittest.TestCase):
    def test_cpu_clock_counts_the_whole_process(self):
        """A thread that has ended counts too."""
        thread = threading.Thread(target=lambda: sum(range(1_000_000)))
        before = procfs.cpu_seconds(os.getpid())
        thread.start()
        thread.join()
        after = procfs.cpu_seconds(os.getpid())
        self.assertAlmostEqual(after, time.process_time(), delta=0.005)
        self.assertGreater(after, before)

    def test_resident_memory_grows_with_touched_pages(self):
        before = procfs.resident_bytes(os.getpid())
        touched = bytearray(b"x" * 20_000_000)
        self.assertGreater(procfs.resident_bytes(os.getpid()) - before, 15_000_000)
        del touched


class ChildTest(unittest.TestCase):
    def test_leaving_the_block_ends_it(self):
        with Child(["sleep", "60"]) as child:
            self.assertIsNone(child.running.poll())
        self.assertEqual(child.running.returncode, -signal.SIGTERM)

    def test_one_that_will_not_stop_is_killed_and_reported(self):
        with self.assertRaisesRegex(ChildFailed, "did not stop"):
            with Child(["sh", "-c", "trap '' TERM; echo ready; sleep 60 & wait; wait"],
                       stop_seconds=0.2) as child:
                while "ready" not in child.text():
                    child.check_alive()
        self.assertEqual(child.running.returncode, -signal.SIGKILL)

    def test_early_end_shows_the_last_output(self):
        with Child(["sh", "-c", "echo because; exit 3"]) as child:
            child.running.wait()
            with self.assertRaisesRegex(ChildFailed, "status 3\n  because"):
                child.check_alive()

    def test_unknown_program(self):
        with self.assertRaisesRegex(ChildFailed, "no such program"):
            Child(["/nowhere/program"])


class PlanTest(unittest.TestCase):
    def test_all_servers_run_in_each_round_and_take_turns_at_being_first(self):
        known = servers.known_servers(".")
        chosen = tuple(known[name] for name in servers.DEFAULT_SERVERS)
        settings = suite.Settings(3, 3, ("c64", "c1000", suite.IDLE), chosen, 5000, 0, "")
        runs = [one for one in suite.plan(settings, "perf") if one.kind == "load"]
        count = len(chosen)
        self.assertEqual(len(runs), 3 * 2 * count)
        first = [runs[number * 2 * count].server.name for number in range(3)]
        self.assertEqual(first, list(servers.DEFAULT_SERVERS[:3]))
        for start in range(0, len(runs), count):
            turn = runs[start:start + count]
            self.assertEqual(len({one.server.name for one in turn}), count)
            self.assertEqual(len({(one.round, one.scenario) for one in turn}), 1)

    def test_without_a_counter_no_system_calls_are_planned(self):
        settings = suite.Settings(3, 1, ("c64",), (servers.known_servers(".")["nginx"],), 1, 0, "")
        self.assertEqual({one.kind for one in suite.plan(settings, "")}, {"load"})


class FairnessTest(unittest.TestCase):
    def test_differing_answers_are_reported(self):
        same = servers.Answer("", {"Date": "", "Content-Length": "13"}, 130)
        longer = servers.Answer("", {"Date": "", "Server": "x"}, 140)
        notes = servers.fairness_notes({"umcg-httpd": same, "raw_server": same})
        self.assertFalse([note for note in notes if "NOT FAIR" in note])
        notes = servers.fairness_notes({"umcg-httpd": longer, "raw_server": same})
        self.assertEqual(len([note for note in notes if "NOT FAIR" in note]), 2)


class ReportTest(unittest.TestCase):
    def test_columns_are_aligned(self):
        lines = report.aligned([["a", "bb"], ["aaa", "b"]])
        self.assertEqual(lines, ["a    bb", "aaa   b"])

    def test_durations(self):
        for value, text in ((5, "5 us"), (1500, "1.5 ms"), (2.5e6, "2.5 s")):
            self.assertEqual(report.duration({"median": value}), text)

    def test_text_shows_ratio_and_range(self):
        text = report.text(results())
        self.assertIn("1.200 (1.180..1.220)", text)
        self.assertIn("1.25", text)
        self.assertNotIn("FAILURES", text)

    def test_failures_are_loud(self):
        self.assertIn("1 FAILURES: these figures must not be quoted\n  broken",
                      report.text(results(failures=["broken"])))


class PlotTest(unittest.TestCase):
    def test_is_well_formed_and_has_one_line_for_each_server(self):
        root = xml.etree.ElementTree.fromstring(plot.svg(results()))
        lines = root.findall("{http://www.w3.org/2000/svg}polyline")
        self.assertEqual(len(lines), 2)

    def test_axes_are_logarithmic_and_span_the_values(self):
        axes = plot.Axes({1, 10, 100}, [3, 6.5, 18])
        self.assertAlmostEqual(axes.x(10) - axes.x(1), axes.x(100) - axes.x(10))
        self.assertAlmostEqual(axes.y(2), plot.HEIGHT - plot.BOTTOM)
        self.assertAlmostEqual(axes.y(20), plot.TOP)
        self.assertAlmostEqual(axes.y(4) - axes.y(8), axes.y(8) - axes.y(16))

    def test_grid_numbers(self):
        self.assertEqual(plot.round_numbers(3, 18), [2, 5, 10, 20])
        self.assertEqual(plot.round_numbers(1, 5), [1, 2, 5])
        self.assertEqual(plot.round_numbers(7, 7), [5, 10])
        self.assertEqual(plot.round_numbers(5, 5), [5, 10])
        self.assertEqual([round(number, 3) for number in plot.round_numbers(0.3, 0.4)], [0.2, 0.5])

    def test_nothing_to_show(self):
        self.assertEqual(plot.svg(results(runs=())), "")


class CommandLineTest(unittest.TestCase):
    def test_unknown_names_are_refused(self):
        with self.assertRaisesRegex(bench.Unusable, "no scenario 'c7'"):
            bench.chosen_scenarios("c64,c7")
        with self.assertRaisesRegex(bench.Unusable, "no server 'apache'"):
            bench.chosen_servers(bench.parse_arguments(["--servers", "apache"]))

    def test_missing_default_server_is_noted_and_a_chosen_one_refused(self):
        with tempfile.TemporaryDirectory() as empty:
            raw = Path(empty) / "loadtest/raw_server"
            raw.parent.mkdir()
            raw.write_text("")
            raw.chmod(0o755)
            chosen, notes = bench.chosen_servers(bench.parse_arguments(["--build", empty]))
            self.assertIn("raw_server", [server.name for server in chosen])
            self.assertIn("umcg-httpd", notes[0])
            with self.assertRaises(bench.Unusable):
                bench.chosen_servers(
                    bench.parse_arguments(["--build", empty, "--servers", "umcg-httpd"]))

    def test_quick_is_short(self):
        arguments = bench.parse_arguments(["--quick"])
        self.assertEqual((arguments.seconds, arguments.rounds), (1.0, 2))


if __name__ == "__main__":
    sys.exit(unittest.main())
