# SPDX-License-Identifier: MIT
"""Rules that read a file as lines of text."""

import re

FILE_LINES_MAX = 500
COLUMNS_MAX = 100
COLUMNS_MAX_PROSE = 120

SPDX = "SPDX-License-Identifier: MIT"
# Written in two halves, or this file would break its own rule.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")
MARKED_BY_HASH = {".py", ".sh", ".build", ".toml", ".ini"}


def file_length(file):
    if len(file.lines) > FILE_LINES_MAX:
        yield file.finding(FILE_LINES_MAX + 1, "file-length",
                           f"{len(file.lines)} lines, {FILE_LINES_MAX} are allowed")


def columns(file):
    prose = file.suffix == ".md"
    limit = COLUMNS_MAX_PROSE if prose else COLUMNS_MAX
    for number, line in enumerate(file.lines, 1):
        unbreakable = prose and " " not in line.strip()
        if len(line) > limit and not unbreakable:
            yield file.finding(number, "columns", f"{len(line)} columns, {limit} are allowed")


def white_space(file):
    if file.text and not file.text.endswith("\n"):
        yield file.finding(len(file.lines), "white-space", "no newline at the end")
    for number, line in enumerate(file.lines, 1):
        if line != line.rstrip():
            yield file.finding(number, "white-space", "at the end of the line")
        if "\t" in line:
            yield file.finding(number, "white-space", "tab")
        if number > 1 and not line and not file.lines[number - 2] and not file.is_python:
            yield file.finding(number, "white-space", "two blank lines")
    if file.lines and not file.lines[-1]:
        yield file.finding(len(file.lines), "white-space", "blank line at the end")


def license_line(file):
    if file.is_cpp:
        wanted = ("// " + SPDX, "/* " + SPDX + " */")
    elif file.suffix == ".S":
        wanted = ("// " + SPDX, "# " + SPDX)
    elif file.suffix in MARKED_BY_HASH or file.pure.name in ("dev", "run", "meson_options.txt"):
        wanted = ("# " + SPDX,)
    else:
        return
    lines = file.lines[:2]
    first = lines[1:] if lines and lines[0].startswith("#!") else lines
    if not first or first[0] not in wanted:
        yield file.finding(1, "license-line", f"the first line has to be '{wanted[0]}'")


def pragma_once(file):
    guarded = file.suffix == ".h" and re.search(r"^#ifndef (\w+)\n#define \1\n", file.text, re.M)
    if file.is_header and "#pragma once" not in file.lines and not guarded:
        yield file.finding(1, "pragma-once", "missing")


def unfinished(file):
    for number, line in enumerate(file.lines, 1):
        match = UNFINISHED.search(line)
        if match:
            yield file.finding(number, "unfinished", f"{match.group(0)}: do it or file an issue")


RULES = (file_length, columns, white_space, license_line, pragma_once, unfinished)
