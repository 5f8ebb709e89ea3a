"""The code behind an output: definitions, and all definitions that they use.

A definition is a top-level function, class or constant of a module. Uses are read from
the source, without importing anything; a name that a package re-exports leads to the
module that defines it. Comments, docstrings, layout, type hints of functions, calls of
the logger and the texts of errors are left out: they change no output.
"""

import ast
import importlib.util
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

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

Definition = tuple[str, str]
"""A module and a name that it defines; the empty name is for all other statements."""


@dataclass
class Module:
    """The top-level statements of a file.

    Attributes:
        statements: By the names that they define. Others have the empty name: they run
            with every import.
        imports: For each imported name its module, and its name there.
    """

    statements: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)


def find_code(*entries: str) -> dict[str, dict[str, str]]:
    """The code behind outputs that are made by entries.

    Args:
        *entries: Dotted names of packages, modules or definitions. Entries of the form
            ``module.REGISTRY[key]`` limit a dictionary to these keys.

    Returns:
        For each module, sorted, the syntax trees of the definitions that are used, by
        name; without modules in ``NEUTRAL``.

    Raises:
        ModuleNotFoundError: An entry does not exist.
    """
    keys: dict[str, set[str]] = defaultdict(set)
    waiting: list[Definition] = []
    for entry in entries:
        name, bracket, key = entry.removesuffix("]").partition("[")
        if bracket:
            keys[name].add(key)
        waiting += _expand(name)
    code: dict[str, dict[str, str]] = defaultdict(dict)
    while waiting:
        module, name = waiting.pop()
        path = find_file(module)
        if path is None or name in code.get(module, ()) or is_neutral(module):
            continue
        kept = frozenset(keys[f"{module}.{name}"]) or None
        code[module][name], uses = read_definition(path, name, kept)
        waiting.append((module, ""))
        for used, attribute in uses:
            waiting += _find_used(module, path, used, attribute)
    return {
        module: {name: text for name, text in sorted(code[module].items()) if text}
        for module in sorted(code)
    }


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
def read_module(path: Path) -> Module:
    """The statements and imports of a file, without what changes no output."""
    module = Module()
    cleaner = _Cleaner(module, is_package=path.stem == "__init__")
    tree = cleaner.visit(ast.parse(path.read_text("utf-8")))
    for statement in tree.body:
        for name in _defined_by(statement):
            module.statements.setdefault(name, []).append(statement)
    return module


@cache
def read_definition(
    path: Path, name: str, keys: frozenset[str] | None = None
) -> tuple[str, set[tuple[str, str | None]]]:
    """The syntax tree of a definition, and the names that it uses.

    Args:
        path: The file.
        name: The definition; empty for the statements that define nothing.
        keys: The keys to which a dictionary is limited, or None.

    Returns:
        The tree as text; each name with its attribute that is used, or None.
    """
    statements = read_module(path).statements.get(name, [])
    if keys is not None:
        statements = [_limit(statement, keys) for statement in statements]
    uses = _Uses()
    for statement in statements:
        uses.visit(statement)
    return "".join(map(ast.dump, statements)), uses.found


class _Cleaner(ast.NodeTransformer):
    """Removes what changes no output: docstrings, type hints, logs, texts of errors.

    Imports are collected. Those for type checkers count in a package, which imports some
    names on first use.
    """

    def __init__(self, module: Module, *, is_package: bool) -> None:
        self._imports, self._is_package = module.imports, is_package

    def visit_Import(self, node: ast.Import) -> ast.AST:  # noqa: N802
        for alias in node.names:
            root = alias.name.partition(".")[0]
            source = alias.name if alias.asname else root
            self._imports[alias.asname or root] = (source, None)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:  # noqa: N802
        if node.module:
            for alias in node.names:
                name = alias.asname or alias.name
                self._imports[name] = (node.module, alias.name)
        return node

    def visit_If(self, node: ast.If) -> ast.AST:  # noqa: N802
        is_skipped = _is_for_types(node) and not self._is_package
        return node if is_skipped else self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:  # noqa: N802
        is_log = isinstance(node.value, ast.Call) and _root(node.value.func) == "logger"
        return None if is_log or isinstance(node.value, ast.Constant) else node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:  # noqa: N802
        return ast.Raise(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:  # noqa: N802
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:  # noqa: N802
        return ast.arg(node.arg)


class _Uses(ast.NodeVisitor):
    """Collects names, each with its attribute that is used."""

    def __init__(self) -> None:
        self.found: set[tuple[str, str | None]] = set()

    def visit_Attribute(self, node: ast.Attribute) -> None:  # noqa: N802
        if isinstance(node.value, ast.Name):
            self.found.add((node.value.id, node.attr))
        else:
            self.visit(node.value)

    def visit_Name(self, node: ast.Name) -> None:  # noqa: N802
        self.found.add((node.id, None))


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and _root(node.test) == "TYPE_CHECKING"


def _root(node: ast.expr) -> str | None:
    """The first name of ``a.b.c``."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _defined_by(statement: ast.stmt) -> list[str]:
    """The names that a statement defines; an empty one if it does something else."""
    if isinstance(statement, ast.Import | ast.ImportFrom) or _is_for_types(statement):
        return []
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        nodes = (node for target in targets for node in ast.walk(target))
        return [n.id for n in nodes if isinstance(n, ast.Name)]
    return [""]


def _limit(statement: ast.stmt, keys: frozenset[str]) -> ast.stmt:
    """An assignment of a dictionary, limited to some of its keys."""
    value = getattr(statement, "value", None)
    if not isinstance(value, ast.Dict):
        return statement
    items = [
        item
        for key, item in zip(value.keys, value.values, strict=True)
        if isinstance(key, ast.Constant) and key.value in keys
    ]
    return ast.Expr(ast.Tuple(items))


def _find_used(
    module: str, path: Path, name: str, attribute: str | None
) -> Iterator[Definition]:
    """The definitions of the package behind a name that a module uses."""
    own = read_module(path)
    if name in own.statements:
        yield module, name
    if name in own.imports:
        source, original = own.imports[name]
        if source.partition(".")[0] == module.partition(".")[0]:
            yield from _resolve(source, original, attribute)


def _resolve(
    module: str, name: str | None, attribute: str | None
) -> Iterator[Definition]:
    """The definitions behind an imported name, or an attribute of an imported module."""
    inner = module if name is None else f"{module}.{name}"
    path = find_file(inner)
    if path is not None:
        if attribute is None:
            yield from ((inner, own) for own in read_module(path).statements)
        else:
            yield from _resolve(inner, attribute, None)
        return
    path = find_file(module)
    if path is not None and name is not None:
        imported = read_module(path).imports.get(name)
        if imported is not None and name not in read_module(path).statements:
            yield from _find_used(module, path, name, attribute)
        else:
            yield module, name


def _expand(entry: str) -> list[Definition]:
    """The definitions of an entry."""
    path = find_file(entry)
    if path is None:
        module, _, name = entry.rpartition(".")
        home = find_file(module) if module else None
        if home is None or name not in read_module(home).statements:
            raise ModuleNotFoundError(entry)
        return [(module, name)]
    if path.stem != "__init__":
        return [(entry, name) for name in ("", *read_module(path).statements)]
    files = (file.relative_to(path.parent) for file in path.parent.rglob("*.py"))
    names = (".".join((entry, *file.with_suffix("").parts)) for file in files)
    found = (name.removesuffix(".__init__") for name in names)
    return [
        (module, name)
        for module in found
        if (file := find_file(module)) is not None
        for name in ("", *read_module(file).statements)
    ]
