# SPDX-License-Identifier: MIT
"""Medians and ratios of the raw values. Pure functions: the rounds' raw values in, figures to quote
out.

A ratio is taken inside of one round, between two servers that ran one after the other, and then the
median of the rounds' ratios is quoted with its range: a machine that is slow for a minute is slow
for both.
"""

import statistics

LOAD_METRICS = ("requests_per_second", "p50_us", "p99_us", "cpu_us", "user_us", "system_us",
                "server_busy", "server_cpu_disturbed")
RATIO_METRICS = ("cpu_us", "user_us", "requests_per_second", "p50_us", "p99_us")
REFERENCES = ("raw_server", "nginx")


def spread(values):
    """Median, smallest and largest of the values that exist; None if there is none."""
    present = [value for value in values if value is not None]
    if not present:
        return None
    return {"median": statistics.median(present), "min": min(present), "max": max(present),
            "count": len(present)}


def by_round(runs, scenario, server, metric):
    return {run["round"]: run[metric] for run in runs
            if run["scenario"] == scenario and run["server"] == server
            and run.get(metric) is not None}


def ratio_spread(above, below):
    """Of two {round: value}, over the rounds that have both."""
    return spread([above[number] / below[number] for number in sorted(above)
                   if below.get(number)])


def unique(runs, key):
    """The values of a key in the order in which they first appear."""
    return list(dict.fromkeys(run[key] for run in runs))


def load_figures(runs):
    """{scenario: {server: {metric: spread}}}"""
    figures = {}
    for scenario in unique(runs, "scenario"):
        figures[scenario] = {}
        for server in unique(runs, "server"):
            values = {metric: spread(by_round(runs, scenario, server, metric).values())
                      for metric in LOAD_METRICS}
            if values["requests_per_second"]:
                figures[scenario][server] = values
    return figures


def ratios(runs):
    """{scenario: {server: {reference: {metric: spread}}}}"""
    result = {}
    for scenario in unique(runs, "scenario"):
        result[scenario] = {}
        for server in unique(runs, "server"):
            result[scenario][server] = {
                reference: {
                    metric: ratio_spread(by_round(runs, scenario, server, metric),
                                         by_round(runs, scenario, reference, metric))
                    for metric in RATIO_METRICS
                }
                for reference in REFERENCES if reference != server
            }
    return result


def growth(runs, server, small="c64", large="c10000"):
    """{round: factor} by which a server's CPU time per request grows from few connections to
    many."""
    few = by_round(runs, small, server, "cpu_us")
    many = by_round(runs, large, server, "cpu_us")
    return {number: many[number] / few[number] for number in few if number in many}


def growth_figures(runs):
    """Each server's growth, alone and relative to the growth of raw_server in the same round."""
    reference = growth(runs, "raw_server")
    result = {}
    for server in unique(runs, "server"):
        own = growth(runs, server)
        if own:
            result[server] = {"alone": spread(own.values()),
                              "beyond_raw_server": ratio_spread(own, reference)}
    return result


def idle_figures(runs):
    return {server: spread([run["bytes_per_connection"] for run in runs
                            if run["server"] == server])
            for server in unique(runs, "server")}


def nested(tree, *keys):
    """tree[a][b]..., or None as soon as something is missing."""
    for key in keys:
        if not tree or key not in tree:
            return None
        tree = tree[key]
    return tree


def targets(figures, server="umcg-httpd"):
    """What the project asks of its own server: (sentence, limit, figure or None, kept)."""

    def at_most(text, limit, found):
        value = found["median"] if found else None
        return {"text": text, "limit": limit, "value": value,
                "kept": None if value is None else value <= limit}

    def at_least(text, limit, found):
        value = found["median"] if found else None
        return {"text": text, "limit": limit, "value": value,
                "kept": None if value is None else value >= limit}

    ratio = figures["ratios"]
    return [
        at_most("CPU per request at c=64 relative to raw_server, at most", 1.05,
                nested(ratio, "c64", server, "raw_server", "cpu_us")),
        at_most("CPU per request at c=64 relative to nginx, at most", 1.0,
                nested(ratio, "c64", server, "nginx", "cpu_us")),
        at_least("pipelined requests per second relative to raw_server, at least", 0.9,
                 nested(ratio, "pipelined", server, "raw_server", "requests_per_second")),
        at_most("growth of CPU per request c=64 to c=10,000 beyond raw_server's, at most", 1.3,
                nested(figures["growth"], server, "beyond_raw_server")),
        at_most("resident bytes per idle connection, at most", 12 * 1024,
                nested(figures["idle"], server)),
    ]


def all_figures(load_runs, idle_runs):
    figures = {
        "load": load_figures(load_runs),
        "ratios": ratios(load_runs),
        "growth": growth_figures(load_runs),
        "idle": idle_figures(idle_runs),
    }
    figures["targets"] = targets(figures)
    return figures
