# SPDX-License-Identifier: MIT
"""Rules that read the code of one file, without its comments and strings."""

import fnmatch
import re

FUNCTION_LINES_MAX = 60
PARAMETERS_MAX = 5

FORBIDDEN_PARTS = {"manager", "helper", "helpers", "util", "utils", "common", "impl", "process"}
TYPE_NAME = re.compile(
    r"\b(?:class|struct|union|enum(?:\s+class)?|concept|namespace)\s+"
    r"(?:(?:UMCG_\w+|alignas|__attribute__)\s*(?:\([^()]*(?:\([^()]*\))?[^()]*\))?\s*"
    r"|\[\[[^\]]*\]\]\s*)*"
    r"([A-Za-z_][\w:]*)"
)
ALIAS_NAME = re.compile(r"\busing\s+(\w+)\s*=")
DO_NAME = re.compile(r"\bdo_[a-z]\w*")

REQUEST_PATH = ("src/http/*", "src/net/*", "src/io/*", "src/sched/*", "include/umcg/http*",
                "include/umcg/net/*")
THREADS_ALLOWED = ("src/kernel/*", "src/base/*", "apps/examples/*", "tests/*", "loadtest/*")
EVERYWHERE = ("*",)


class Banned:
    """A word that may not stand in the code of files `within`, except in those `outside`."""

    def __init__(self, rule, pattern, advice, within=EVERYWHERE, outside=()):
        self.rule = rule
        self.pattern = re.compile(pattern)
        self.advice = advice
        self.within = within
        self.outside = outside

    def applies_to(self, path):
        def matches(patterns):
            return any(fnmatch.fnmatch(path, pattern) for pattern in patterns)

        return matches(self.within) and not matches(self.outside)

    def __call__(self, file):
        if file.is_cpp and self.applies_to(file.path):
            for match in self.pattern.finditer(file.code):
                word = " ".join(match.group(0).split())
                yield file.finding(file.line_of(match.start()), self.rule,
                                   f"'{word}': {self.advice}")


BANNED = (
    Banned("volatile", r"(?<!asm )(?<!__asm__ )\bvolatile\b",
           "it orders nothing; use std::atomic or a class of a state file"),
    Banned("sleep", r"\bsleep_for\b|\bthis_thread::sleep_until\b|\busleep\b",
           "wait for what has to happen; a test takes its time from a clock it owns"),
    Banned("regex", r"\bstd::regex\b|<regex>",
           "it needs any amount of stack; a worker has 256 KiB"),
    Banned("shared-ptr", r"\bshared_ptr\b",
           "nothing on the request path is shared; name its one owner", REQUEST_PATH),
    Banned("thread", r"\bstd::j?thread\b(?!::)|\bpthread_create\b",
           "threads are born in src/kernel", EVERYWHERE, THREADS_ALLOWED),
    Banned("memory-order", r"\bmemory_order\w*|\b__ATOMIC_[A-Z]+\b",
           "only in the files of shared words (*_state.hpp, idle_*.hpp)", EVERYWHERE,
           ("*_state.hpp", "*/idle_*.hpp")),
)


def functions(file):
    for function in file.functions:
        if function.lines > FUNCTION_LINES_MAX:
            yield file.finding(function.line, "function-length",
                               f"{function.name}: {function.lines} lines, "
                               f"{FUNCTION_LINES_MAX} are allowed")
        if function.parameters > PARAMETERS_MAX:
            yield file.finding(function.line, "parameters",
                               f"{function.name}: {function.parameters} parameters, "
                               f"{PARAMETERS_MAX} are allowed")


def file_name(file):
    for part in re.split(r"[_.\-]", file.pure.name):
        if part in FORBIDDEN_PARTS:
            yield file.finding(1, "name", f"'{part}' in a file name says nothing")


def type_names(file):
    if not file.is_cpp:
        return
    for pattern in (TYPE_NAME, ALIAS_NAME):
        for match in pattern.finditer(file.code):
            for part in re.split(r"[_:]+", match.group(1)):
                if part in FORBIDDEN_PARTS:
                    yield file.finding(file.line_of(match.start()), "name",
                                       f"'{part}' in '{match.group(1)}' says nothing")
    for match in DO_NAME.finditer(file.code):
        yield file.finding(file.line_of(match.start()), "name", f"'{match.group(0)}': no do_ names")


def python_sleep(file):
    if file.is_python and file.path.startswith("tests/"):
        for match in re.finditer(r"\btime\.sle" r"ep\b", file.text):
            yield file.finding(file.line_of(match.start()), "sleep", "wait for what has to happen")


RULES = (functions, file_name, type_names, python_sleep, *BANNED)
