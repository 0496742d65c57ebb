# SPDX-License-Identifier: MIT
"""Rules that look at all files together. Each takes the tree and yields findings."""

import hashlib
import re
from pathlib import PurePosixPath

from source import Finding

LAYERS = ("base", "libumcg", "kernel", "diagnosis", "sched", "io", "sync", "net", "os", "tls",
          "http", "posix")
# The public headers that do not lie in a folder of their layer.
PUBLIC_LAYERS = {
    "deadline.hpp": "base",
    "cancellation.hpp": "sched",
    "deadline_scope.hpp": "sched",
    "scope_state.hpp": "sched",
    "task_group.hpp": "sync",
    "libumcg.h": "libumcg",
    "hand_off.hpp": "libumcg",
    "blocking_region.hpp": "libumcg",
    "counters.hpp": "libumcg",
    "diagnosis.hpp": "diagnosis",
    "body.hpp": "sched",
    "group.hpp": "io",
    "worker.hpp": "sched",
    "http.hpp": "http",
    "sync.hpp": "sync",
    "posix.hpp": "posix",
}
README = "README.md"
README_PROGRAM = "apps/hello/main.cpp"
DEFECTS = "tests/README.md"
DEFECTS_COUNT = 50


class Tree:
    """All files by path, and the root they were read from (None: in a test)."""

    def __init__(self, files, root=None):
        self.files = {file.path: file for file in files}
        self.root = root

    def resolve(self, file, include):
        """The path of the included file, or None when it is not one of ours."""
        folders = ["include", "src", str(file.pure.parent), "tests", "apps", "loadtest"]
        for folder in folders if include.quoted else folders[:1]:
            path = str(PurePosixPath(folder) / include.target)
            if path in self.files:
                return path
        return None

    def below(self, path):
        """The paths of the files of ours that a file includes, directly or not, and its own."""
        found, waiting = set(), [path]
        while waiting:
            path = waiting.pop()
            if path not in found:
                found.add(path)
                file = self.files[path]
                targets = (self.resolve(file, include) for include in file.includes)
                waiting += [target for target in targets if target]
        return sorted(found)

    def fingerprint(self, path, how):
        """Changes when a file, something it includes, or what is done with it changes."""
        digest = hashlib.sha256(how.encode())
        for name in self.below(path):
            digest.update(f"{name}\0{self.files[name].text}\0".encode())
        return digest.hexdigest()

    def named(self, *names):
        return [file for file in self.files.values() if file.pure.name in names]


def layer_of(path):
    """The layer of a file of the library, None for other files, "" when nobody has said."""
    parts = PurePosixPath(path).parts
    if parts[0] == "src" and len(parts) > 2:
        return parts[1] if parts[1] in LAYERS else ""
    if parts[:2] == ("include", "umcg"):
        if len(parts) > 3:
            return parts[2] if parts[2] in LAYERS else ""
        return PUBLIC_LAYERS.get(parts[2], "")
    return None


def layer_order(tree):
    for file in tree.files.values():
        layer = layer_of(file.path) if file.is_cpp or file.suffix == ".S" else None
        if layer == "":
            yield file.finding(1, "layer-order", "no layer known; see LAYERS and PUBLIC_LAYERS in "
                               "tests/style/tree_rules.py")
        for include in file.includes if layer else []:
            target = tree.resolve(file, include)
            below = layer_of(target) if target else None
            if below and LAYERS.index(below) > LAYERS.index(layer):
                yield file.finding(include.line, "layer-order", f"{layer} is below {below}")


def includes(tree):
    for file in tree.files.values():
        for include in file.includes if file.is_cpp else []:
            target = tree.resolve(file, include)
            if include.quoted and target is None:
                yield file.finding(include.line, "include", f"no file '{include.target}' here")
            elif target and file.path.startswith("include/") and target.startswith("src/"):
                yield file.finding(include.line, "include", "a public header shows a private one")


def own_header_first(tree):
    for file in tree.files.values():
        if file.suffix != ".cpp" or not file.includes:
            continue
        header = file.path[:-4] + ".hpp"
        public = re.sub(r"^src/", "include/umcg/", header)
        own = [path for path in (header, public) if path in tree.files]
        if own and tree.resolve(file, file.includes[0]) not in own:
            yield file.finding(file.includes[0].line, "include", f"{own[0]} comes first")


def included_somewhere(tree):
    included = set()
    for file in tree.files.values():
        for include in file.includes if file.is_cpp else []:
            target = tree.resolve(file, include)
            if target and target != file.path:
                included.add(target)
    for build in tree.named("meson.build"):
        for name in re.findall(r"'-include', '([^'\n]+)'", build.text):
            included.add(str(build.pure.parent / name))
    for file in tree.files.values():
        if file.is_header and file.path not in included:
            yield file.finding(1, "unused-file", "nobody includes it")


def built_somewhere(tree):
    listed = set()
    for build in tree.named("meson.build"):
        for name in re.findall(r"'([^'\n]+)'", build.text):
            listed.add(str(build.pure.parent / name))
            listed.add(str(build.pure.parent / name) + ".cpp")
    for file in tree.files.values():
        family = re.sub(r"(x86_64|aarch64)$", "", str(file.pure.with_suffix("")))
        if file.suffix in (".cpp", ".c", ".S") and not listed & {file.path, family}:
            yield file.finding(1, "unused-file", "no meson.build lists it")


def run_somewhere(tree):
    callers = [file for file in tree.files.values()
               if file.is_python or file.pure.name in ("meson.build", "dev", "run")]
    for file in tree.files.values():
        word = re.compile(rf"\b{re.escape(file.pure.stem)}\b")
        if file.is_python and not any(word.search(caller.text) for caller in callers
                                      if caller is not file):
            yield file.finding(1, "unused-file", "nobody runs or imports it")


def readme_program(tree):
    readme, program = tree.files.get(README), tree.files.get(README_PROGRAM)
    if not readme or not program:
        missing = README_PROGRAM if readme else README
        yield Finding(missing, 1, "readme-program", "missing")
        return
    block = re.search(r"```cpp\n(.*?)```", readme.text, re.DOTALL)
    start = program.text.find("#include")  # what the license line and a comment leave
    if not block or block.group(1) != program.text[start:]:
        line = readme.line_of(block.start()) if block else 1
        yield readme.finding(line, "readme-program", f"differs from {README_PROGRAM}")


def defects(tree):
    """Each defect of the prototype has a line in tests/README.md, and what shows it is there."""
    page = tree.files.get(DEFECTS)
    if page is None:
        return
    sources = {path: file.text for path, file in tree.files.items() if path != DEFECTS}
    contract = "".join(text for path, text in sources.items() if "/contract/" in path)
    mutants = sources.get("tests/mutation/mutants.py", "")
    rows = re.findall(r"^\| B(\d+) \|[^|]*\|(.*)\|$", page.text, re.MULTILINE)
    if [int(number) for number, _ in rows] != list(range(1, DEFECTS_COUNT + 1)):
        yield page.finding(1, "defects", f"not B1 to B{DEFECTS_COUNT}, one a line")
    for number, shown_by in rows:
        names = re.findall(r"\bT(\d+)\b|`([a-z_]+(?:_model|_test)|[a-z]+-[a-z-]+)`", shown_by)
        for test, name in names:
            known = (f"T{int(test):02}_" in contract if test else f'"{name}"' in mutants or
                     any(path.endswith(f"/{name}.cpp") for path in sources))
            if not known:
                line = page.line_of(page.text.index(f"| B{number} |"))
                yield page.finding(line, "defects", f"there is no {name or 'T' + test}")


RULES = (defects, layer_order, includes, own_header_first, included_somewhere, built_somewhere,
         run_somewhere, readme_program)
