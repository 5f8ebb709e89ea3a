"""The modules behind an output: entry modules and all that they import of their package.

Imports are read from the source, without importing anything. A name that a package
re-exports leads to the module that defines it.
"""

import ast
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

NEUTRAL = tuple(
    f"image_translation.{name}"
    for name in (
        "common",
        "config",
        "pipeline_registry",
        "training.checkpoint",
        "training.interruption",
        "training.observer",
        "training.progress",
    )
)
"""Packages and modules whose code does not affect outputs: changes repeat no work."""

_BLOCKS = {"body", "orelse", "finalbody", "handlers", "cases"}
"""Fields of a syntax tree that hold statements."""


class Import(NamedTuple):
    """``from module import name as alias``, or ``import module``."""

    module: str
    name: str | None
    alias: str | None
    is_for_types: bool


def find_modules(*entries: str) -> dict[str, Path]:
    """The modules behind outputs that are made by entry modules.

    Args:
        *entries: Dotted names; a package is all modules in it.

    Returns:
        Files by dotted name, sorted; without those in ``NEUTRAL``.

    Raises:
        ModuleNotFoundError: An entry does not exist.
    """
    found: dict[str, Path] = {}
    waiting = [module for entry in entries for module in _expand(entry)]
    while waiting:
        module = waiting.pop()
        path = find_file(module)
        if path is None or module in found or is_neutral(module):
            continue
        found[module] = path
        waiting += _imported_by(module, path)
    return dict(sorted(found.items()))


def is_neutral(module: str) -> bool:
    """True if the code of the module does not affect outputs."""
    return any(module == name or module.startswith(f"{name}.") for name in NEUTRAL)


@cache
def find_file(module: str) -> Path | None:
    """The file of a module, or the ``__init__.py`` of a package; None without one."""
    root, *parts = module.split(".")
    spec = importlib.util.find_spec(root)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin)
    if parts:
        path = path.parent.joinpath(*parts)
        package = path / "__init__.py"
        path = package if package.exists() else path.with_name(f"{path.name}.py")
    return path if path.exists() else None


@cache
def read_source(path: Path) -> tuple[str, list[Import]]:
    """A file's syntax tree, without comments, layout and docstrings, and its imports."""
    tree = ast.parse(path.read_text("utf-8"))
    imports = list(_take_imports(tree))
    return ast.dump(tree), imports


def _expand(entry: str) -> list[str]:
    path = find_file(entry)
    if path is None:
        raise ModuleNotFoundError(entry)
    if path.stem != "__init__":
        return [entry]
    files = (file.relative_to(path.parent) for file in path.parent.rglob("*.py"))
    names = (".".join((entry, *file.with_suffix("").parts)) for file in files)
    return [name.removesuffix(".__init__") for name in names]


def _imported_by(module: str, path: Path) -> Iterator[str]:
    """The modules of the same package that a file imports to run.

    A package imports some of its names on first use, and for type checkers at once.
    """
    root = module.partition(".")[0]
    for found in read_source(path)[1]:
        is_used = path.stem == "__init__" or not found.is_for_types
        if is_used and found.module.partition(".")[0] == root:
            yield _resolve(found.module, found.name)


def _resolve(module: str, name: str | None) -> str:
    """The module that defines a name: it, a sub-module, or where it comes from."""
    if name is None:
        return module
    if find_file(f"{module}.{name}") is not None:
        return f"{module}.{name}"
    path = find_file(module)
    if path is not None and path.stem == "__init__":
        for found in read_source(path)[1]:
            if name == (found.alias or found.name):
                return _resolve(found.module, found.name)
    return module


def _take_imports(node: ast.AST, for_types: bool = False) -> Iterator[Import]:
    """Yield the imports of all statements in a node, and remove its docstrings."""
    for field in filter(_BLOCKS.__contains__, node._fields):
        children = [c for c in getattr(node, field) if not _is_docstring(c)]
        setattr(node, field, children)
        for child in children:
            if isinstance(child, ast.Import):
                for a in child.names:
                    yield Import(a.name, None, None, for_types)
            elif isinstance(child, ast.ImportFrom) and child.module:
                for a in child.names:
                    yield Import(child.module, a.name, a.asname, for_types)
            else:
                test = getattr(child, "test", None)  # of ``if TYPE_CHECKING:``
                is_check = isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"
                yield from _take_imports(child, for_types or is_check)


def _is_docstring(node: ast.AST) -> bool:
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)
