"""Reads the syntax trees of the project and says what breaks the rules of the house: nothing is imported or run."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

# fmt: off
FLOORS = {
    "": 0, "__version__": 0,  # nmt itself: its version
    "errors": 0, "arithmetic": 0, "arenas": 0, "mapped": 0, "plumbing": 0, "config": 0,
    "data": 1, "model": 2, "search": 3, "checkpoint": 4, "training": 5, "metrics": 6, "report": 7,
    "launch": 8, "sweep": 8, "tools": 8, "compare": 8, "augment": 9, "app": 9,
    "serve": 10, "export": 10, "translator": 10, "programs": 11, "__main__": 12,
}
# fmt: on
# Floors that may be imported, where not all.
ALONE = {"metrics": {0}, "report": {0}, "launch": {0, 8}, "sweep": {0, 6, 7}, "compare": {0, 1, 6, 7}}
ALONE["augment"] = {0, 1, 6, 8}
ENTRY_POINTS = ("train.py", "evaluate.py", "translate.py")
WITHOUT_TENSORFLOW = {part for part, floor in FLOORS.items() if floor == 0} | {*ALONE, "tools"}
PROGRAMS = "nmt/programs.py"  # the list of commands, which comes before anything is imported
IN_MAIN = {*ENTRY_POINTS, "nmt/serve/command.py"}  # whose `main` imports what it needs
OPTIONAL = {"boto3", "botocore", "optuna", "safetensors", "pyemd"}  # third-party packages that may be absent
COSTLY = {"gensim", "scipy"}  # a third of a second or more to import, and most runs do without
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 50


@dataclass(frozen=True)
class Import:
    """`name` is dotted and absolute; `function` is the one it hides in, if any."""

    name: str
    line: int
    function: str | None


@dataclass
class Module:
    """A file and what the rules ask about it."""

    path: str
    text: str
    tree: ast.Module = field(init=False)

    def __post_init__(self) -> None:
        self.tree = ast.parse(self.text)

    @property
    def name(self) -> str:
        """nmt/model/cells.py -> nmt.model.cells, nmt/model/__init__.py -> nmt.model"""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @cached_property
    def imports(self) -> list[Import]:
        return sorted(_imports(self.nodes), key=lambda found: found.line)

    @cached_property
    def nodes(self) -> list[tuple[ast.AST, str | None]]:
        """Each with the function it is in, if any."""
        found: list[tuple[ast.AST, str | None]] = [(self.tree, None)]
        for node, function in found:  # which grows meanwhile
            inner = node.name if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else function
            found.extend((child, inner) for child in ast.iter_child_nodes(node))
        return found

    @property
    def part(self) -> str:
        """The second part of the name: what FLOORS speaks of."""
        return [*self.name.split("."), ""][1]

    @property
    def floor(self) -> int | None:
        """Entry points and plugins are the roof; None for a part of nmt that has no floor."""
        return FLOORS.get(self.part) if self.path.startswith("nmt/") else max(FLOORS.values()) + 1


@cache
def read_project(root: Path) -> list[Module]:
    """Every module of the product, entry points included."""
    paths = [*sorted((root / "nmt").rglob("*.py")), *(root / name for name in ENTRY_POINTS)]
    paths += sorted((root / "hydra_plugins").rglob("*.py"))
    return [Module(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


def violations(modules: list[Module]) -> list[str]:
    """One line for each breach: `path:line: what`."""
    names = {module.name for module in modules}
    found: list[str] = []
    for module in modules:
        found += _wrong_imports(module)
        found += _hidden_imports(module)
        found += _too_long(module)
        found += _forbidden_words(module)
    return found + _cycles({module.name: _neighbours(module, names) for module in modules})


def _imports(nodes: list[tuple[ast.AST, str | None]]) -> Iterator[Import]:
    for node, function in nodes:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, function) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            before = "." * node.level + (node.module or "")
            yield from (Import(f"{before}.{alias.name}", node.lineno, function) for alias in node.names)


def _wrong_imports(module: Module) -> Iterator[str]:
    """Upward, sideways where a floor stands alone, relative, or of TensorFlow where it has no place."""
    floor = module.floor
    if floor is None:
        yield f"{module.path}:1: nmt.{module.part} has no floor"
    for found in module.imports:
        top, _, rest = found.name.partition(".")
        if not top:
            yield f"{module.path}:{found.line}: relative import"
        if top in ("tensorflow", "keras") and module.part in WITHOUT_TENSORFLOW:
            yield f"{module.path}:{found.line}: imports {top}, which costs seconds"
        part = rest.partition(".")[0]
        if top != "nmt" or floor is None or part == module.part:
            continue
        target = FLOORS.get(part)
        if target is None or target > floor or target not in ALONE.get(module.part, range(floor + 1)):
            yield f"{module.path}:{found.line}: floor {floor} imports {found.name} of floor {target}"


def _hidden_imports(module: Module) -> Iterator[str]:
    """Allowed in `main` of an entry point, for optional and costly packages, and in Hydra plugins."""
    for found in module.imports:
        top = found.name.partition(".")[0]
        in_main = module.path == PROGRAMS or (module.path in IN_MAIN and found.function == "main")
        if (
            found.function
            and not in_main
            and top not in OPTIONAL | COSTLY
            and not module.path.startswith("hydra_plugins/")
        ):
            yield f"{module.path}:{found.line}: {found.name} is imported inside {found.function}"


def _too_long(module: Module) -> Iterator[str]:
    lines = module.text.count("\n")
    if lines > MAX_MODULE_LINES:
        yield f"{module.path}:1: {lines} lines, more than {MAX_MODULE_LINES}"
    for node, _ in module.nodes:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1 - _docstring_lines(node)
            if length > MAX_FUNCTION_LINES:
                yield f"{module.path}:{node.lineno}: {node.name} has {length} lines, more than {MAX_FUNCTION_LINES}"


def _docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    if ast.get_docstring(node) is None:
        return 0
    first = node.body[0]
    assert first.end_lineno is not None
    return first.end_lineno - first.lineno + 1


def _forbidden_words(module: Module) -> Iterator[str]:
    """`.get` on a configuration, `_target_` strings, a TODO without the number of its issue."""
    for node, _ in module.nodes:
        if isinstance(node, ast.Attribute) and node.attr == "get" and isinstance(node.value, (ast.Name, ast.Attribute)):
            owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
            if owner in ("cfg", "config"):
                yield f"{module.path}:{node.lineno}: {owner}.get hides a missing option"
        if isinstance(node, ast.Constant) and node.value == "_target_":
            yield f"{module.path}:{node.lineno}: _target_ cannot be followed by any tool"
    for number, line in enumerate(module.text.splitlines(), 1) if re.search("TODO|FIXME|XXX", module.text) else ():
        if re.search(r"#.*\b(TODO|FIXME|XXX)\b(?!.*#\d)(?!.*issue \d)", line):
            yield f"{module.path}:{number}: a TODO without the number of its issue"


def _neighbours(module: Module, names: set[str]) -> set[str]:
    """The modules of the project that this one imports when it is imported."""
    found: set[str] = set()
    for one in module.imports:
        if one.function is None:
            longest = one.name if one.name in names else one.name.rpartition(".")[0]
            found |= {longest} & names
    return found - {module.name}


def _cycles(graph: Mapping[str, set[str]]) -> list[str]:
    """Each set of modules that import one another in a ring: what is left when all ends are cut off."""
    left = {name: set(targets) for name, targets in graph.items()}
    while ends := {name for name, targets in left.items() if not targets & left.keys()}:
        left = {name: targets for name, targets in left.items() if name not in ends}
    while starts := {name for name in left if not any(name in targets for targets in left.values())}:
        left = {name: targets for name, targets in left.items() if name not in starts}
    return [f"import cycle among {', '.join(sorted(left))}"] if left else []


if __name__ == "__main__":
    sys.exit("\n".join(violations(read_project(Path(__file__).resolve().parents[2]))) or 0)
