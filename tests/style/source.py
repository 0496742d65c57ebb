# SPDX-License-Identifier: MIT
"""Reads source files for the style rules: their text, their code without comments and strings,
their includes, and their functions with length and number of parameters.

This is no C++ parser. It knows the layout that clang-format gives this project's files.
"""

import ast
import functools
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

CPP_SUFFIXES = {".cpp", ".hpp", ".ipp", ".h", ".c"}
HEADER_SUFFIXES = {".hpp", ".ipp", ".h"}

NOT_CODE = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      | (?:u8|[uUL])?R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"
      | "(?:\\.|[^"\\\n])*"
      | (?<![0-9A-Za-z_])(?:u8|[uUL])?'(?:\\.|[^'\\\n])+'
    """,
    re.DOTALL | re.VERBOSE,
)
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
# What may stand before parentheses in the head of a function without being its name.
NOT_A_NAME = re.compile(r"^(noexcept|alignas|decltype|requires|explicit|__attribute__|static_assert"
                        r"|if|for|while|switch|UMCG_[A-Z_]+)$")


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    rule: str
    text: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


@dataclass(frozen=True)
class Function:
    name: str
    line: int
    lines: int  # of the body, with the lines of its braces; 0: only declared
    parameters: int


@dataclass(frozen=True)
class Include:
    line: int
    quoted: bool
    target: str


def same_lines_of_spaces(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def without_comments_and_strings(text):
    def blank(match):
        spaces = same_lines_of_spaces(match)
        return spaces if match.group("comment") else '"' + spaces[1:-1] + '"'

    return NOT_CODE.sub(blank, text)


class SourceFile:
    """One file of the tree; `path` is relative to its root."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.split("\n")
        if text.endswith("\n"):
            self.lines.pop()
        self.pure = PurePosixPath(path)
        self.suffix = self.pure.suffix
        self.is_cpp = self.suffix in CPP_SUFFIXES
        self.is_header = self.suffix in HEADER_SUFFIXES
        self.is_python = self.suffix == ".py"

    @functools.cached_property
    def code(self):
        """The text with comments and the insides of strings blanked out, line for line."""
        return without_comments_and_strings(self.text) if self.is_cpp else self.text

    @functools.cached_property
    def includes(self):
        found = []
        for number, (line, code) in enumerate(zip(self.lines, self.code.split("\n")), 1):
            match = INCLUDE.match(line) if code.lstrip().startswith("#") else None
            if match:
                found.append(Include(number, match.group(1) == '"', match.group(2)))
        return found

    @functools.cached_property
    def functions(self):
        if self.is_python:
            return python_functions(self.text)
        return FunctionScan(self.code).functions if self.is_cpp else []

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1

    def finding(self, line, rule, text):
        return Finding(self.path, line, rule, text)


def python_functions(text):
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            given = node.args
            names = [a.arg for a in given.posonlyargs + given.args + given.kwonlyargs]
            count = len([name for name in names if name not in ("self", "cls")])
            lines = node.end_lineno - node.lineno + 1
            found.append(Function(node.name, node.lineno, lines, count))
    return found


def matching(text, start, brackets="()"):
    """The offset of the bracket that closes the one at `start`."""
    depth = 0
    for offset in range(start, len(text)):
        if text[offset] == brackets[0]:
            depth += 1
        elif text[offset] == brackets[1]:
            depth -= 1
            if depth == 0:
                return offset
    return len(text) - 1


def parameter_list(head):
    """The name of the function in this head and the offsets of its parentheses, or None."""
    offset, angles = 0, 0
    while offset < len(head):
        character = head[offset]
        if character == "<" and re.search(r"[\w>]\s*$", head[:offset]):
            angles += 1
        elif character == ">" and angles and head[offset - 1] != "-":
            angles -= 1
        elif character == "(":
            close = matching(head, offset)
            before = head[:offset].rstrip()
            name = re.search(r"(operator\s*(?:\(\)|[^\w\s(]+|\w+)|~?\w+|\])$", before)
            is_name = before.endswith("operator") or re.match(r"[*&]", head[offset + 1:])
            if angles == 0 and name and not is_name:
                if not NOT_A_NAME.match(name.group(1)):
                    return name.group(1), offset, close
            offset = close
        offset += 1
    return None


def count_parameters(inside):
    if inside.strip() in ("", "void"):
        return 0
    depth, commas = 0, 0
    for offset, character in enumerate(inside):
        if character in "([{" or (character == "<" and re.search(r"\w$", inside[:offset])):
            depth += 1
        elif character in ")]}" or (character == ">" and inside[offset - 1] != "-"):
            depth -= 1
        elif character == "," and depth == 0:
            commas += 1
    return commas + 1


def plain_head(head):
    """A head without access labels, preprocessor lines and template parameters."""
    head = re.sub(r"^\s*((public|private|protected)\s*:(?!:)\s*)+", "", head).strip()
    head = re.sub(r"\[\[.*?\]\]", " ", head, flags=re.DOTALL).strip()
    while re.match(r"template\s*<", head):
        head = head[matching(head, head.index("<"), "<>") + 1:].strip()
    return re.sub(r"^requires\s*\(", "requires (", head)


def is_type(head):
    if not re.match(r"(typedef\s+)?(class|struct|union|enum)\b", head):
        return False
    return parameter_list(re.sub(r"\s*:(?!:)[^:].*", "", head, flags=re.DOTALL)) is None


def opens(head):
    """What the brace after this head begins: a scope, a function, or an initializer."""
    head = plain_head(head)
    if re.match(r"(inline\s+)?namespace\b", head) or re.match(r'extern\s*"\s*"$', head):
        return "scope"
    if is_type(head):
        return "scope"
    if re.search(r"([=,(]|\breturn)$", head):
        return "initializer"
    found = parameter_list(head)
    if not found:
        return "initializer"
    after = head[found[2] + 1:]
    if re.search(r"(?<!:):(?!:)", after) and re.search(r"[\w>]$", head):
        return "initializer"  # of a member in a constructor's list
    return "function"


class FunctionScan:
    """Walks over the braces of a file and notes each function outside of others."""

    def __init__(self, code):
        self.code = DIRECTIVE.sub(same_lines_of_spaces, code)
        self.functions = []
        self.head_start = 0
        self.open = []
        self.parentheses = 0
        self.body = None  # offset of the brace that began the function we are in
        for offset, character in enumerate(self.code):
            self.step(offset, character)

    def step(self, offset, character):
        if self.body is not None:
            self.step_in_function(offset, character)
        elif character == "(":
            self.parentheses += 1
        elif character == ")":
            self.parentheses -= 1
        elif character == "{":
            self.begin(offset)
        elif character == "}":
            if self.open and self.open.pop() == "scope":
                self.head_start = offset + 1
        elif character == ";" and self.parentheses == 0 and "initializer" not in self.open:
            self.note_declaration(offset)
            self.head_start = offset + 1

    def step_in_function(self, offset, character):
        if character == "{":
            self.open.append("block")
        elif character == "}":
            self.open.pop()
            if "function" not in self.open:
                self.note(self.body, offset)
                self.body = None
                self.head_start = offset + 1

    def begin(self, offset):
        kind = "initializer"
        if self.parentheses == 0 and "initializer" not in self.open:
            kind = opens(self.code[self.head_start:offset])
        self.open.append(kind)
        if kind == "scope":
            self.head_start = offset + 1
        elif kind == "function":
            self.body = offset

    def note(self, start, end):
        head = plain_head(self.code[self.head_start:start])
        name, left, right = parameter_list(head)
        lines = self.code.count("\n", start, end) + 1
        self.functions.append(Function(name, self.code.count("\n", 0, start) + 1, lines,
                                       count_parameters(head[left + 1:right])))

    def note_declaration(self, end):
        head = plain_head(self.code[self.head_start:end])
        found = parameter_list(head)
        if not found or re.match(r"(using|typedef|friend class|return)\b", head):
            return
        name, left, right = found
        if re.search(r"(?<!operator)=(?!=)|{", head[:left]) or name.isupper():
            return
        self.functions.append(Function(name, self.code.count("\n", 0, end) + 1, 0,
                                       count_parameters(head[left + 1:right])))
