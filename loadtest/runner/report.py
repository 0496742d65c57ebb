# SPDX-License-Identifier: MIT
"""The results as text: one aligned table for each scenario, then memory, growth and the project's
targets."""

from runner.wrk import SCENARIOS


def aligned(rows):
    """Rows of cells to lines; the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells).rstrip())
    return lines


def number(spread, digits=2):
    return "-" if spread is None else f"{spread['median']:,.{digits}f}"


def duration(spread):
    """Of microseconds."""
    if spread is None:
        return "-"
    value = spread["median"]
    if value < 1000:
        return f"{value:.0f} us"
    if value < 1e6:
        return f"{value / 1e3:.3g} ms"
    return f"{value / 1e6:.3g} s"


def ratio(spread):
    if spread is None:
        return "-"
    return f"{spread['median']:.3f} ({spread['min']:.3f}..{spread['max']:.3f})"


def percent(spread):
    return "-" if spread is None else f"{spread['median'] * 100:.0f} %"


def scenario_lines(results, scenario):
    figures = results["figures"]
    header = ["server", "req/s", "p50", "p99", "CPU us/req", "user", "system", "calls/req", "busy",
              "CPU / raw_server", "CPU / nginx", "req/s / raw_server"]
    rows = [header]
    for server, metrics in figures["load"][scenario].items():
        ratios = figures["ratios"][scenario][server]
        against = {name: ratios.get(name) or {} for name in ("raw_server", "nginx")}
        calls = results["system_calls"].get(scenario, {}).get(server)
        rows.append([
            server,
            number(metrics["requests_per_second"], 0),
            duration(metrics["p50_us"]),
            duration(metrics["p99_us"]),
            number(metrics["cpu_us"]),
            number(metrics["user_us"]),
            number(metrics["system_us"]),
            "-" if calls is None else f"{calls:.3f}",
            percent(metrics["server_busy"]),
            ratio(against["raw_server"].get("cpu_us")),
            ratio(against["nginx"].get("cpu_us")),
            ratio(against["raw_server"].get("requests_per_second")),
        ])
    return [SCENARIOS[scenario].title, *aligned(rows), ""]


def idle_lines(results):
    idle = results["figures"]["idle"]
    if not idle:
        return []
    rows = [["server", "bytes per connection", "(min..max)", "idle CPU ms/s"]]
    for server, spread in idle.items():
        runs = [run for run in results["idle_runs"] if run["server"] == server]
        rows.append([server, number(spread, 0), f"({spread['min']:,.0f}..{spread['max']:,.0f})",
                     f"{min(run['idle_cpu_ms_per_second'] for run in runs):.3f}"])
    connections = results["idle_runs"][0]["connections"]
    return [f"Resident memory of {connections:,} idle connections", *aligned(rows), ""]


def growth_lines(results):
    growth = results["figures"]["growth"]
    if not growth:
        return []
    rows = [["server", "alone", "beyond raw_server"]]
    for server, spreads in growth.items():
        rows.append([server, ratio(spreads["alone"]), ratio(spreads["beyond_raw_server"])])
    return ["CPU per request at 10,000 connections over that at 64", *aligned(rows), ""]


def target_lines(results):
    words = {True: "kept", False: "MISSED", None: "not measured"}
    rows = [["Targets for umcg-httpd", "limit", "measured", ""]]
    for target in results["figures"]["targets"]:
        digits = 0 if target["limit"] > 100 else 3
        value = "-" if target["value"] is None else f"{target['value']:,.{digits}f}"
        rows.append([target["text"], f"{target['limit']:,.{digits}f}", value,
                     words[target["kept"]]])
    return [*aligned(rows), ""]


def note_lines(results):
    notes = results["notes"]
    return ["Notes", *(f"  {note}" for note in notes), ""] if notes else []


def failure_lines(results):
    failures = results["failures"]
    if not failures:
        return []
    bar = "!" * 100
    return [bar, f"{len(failures)} FAILURES: these figures must not be quoted",
            *(f"  {failure}" for failure in failures), bar]


def text(results):
    machine = results["machine"]
    settings = results["settings"]
    lines = [
        f"{machine['processor']}, {machine['cpus']} CPUs, Linux {machine['kernel']}, "
        f"getppid {machine['getppid_us']} us",
        f"{settings['rounds']} rounds of {settings['seconds']} s, medians; ratios are medians of "
        f"the rounds' ratios, with (min..max)",
        "",
    ]
    for scenario in results["figures"]["load"]:
        lines += scenario_lines(results, scenario)
    lines += idle_lines(results) + growth_lines(results) + target_lines(results)
    lines += note_lines(results) + failure_lines(results)
    return "\n".join(lines)
