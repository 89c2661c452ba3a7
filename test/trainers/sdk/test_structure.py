"""How the SDK's modules stand on each other."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import epochal

_PACKAGE = Path(epochal.__file__).parent


def _name(file: Path) -> str:
    parts = file.relative_to(_PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(tree: ast.AST, modules: set[str]) -> set[str]:
    """What of `modules` is imported anywhere in it, within functions too; what is for types alone is not."""
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
        found |= _imported(node, modules)
    return found & modules


def test_no_circle_of_imports() -> None:
    files = {_name(file): file for file in _PACKAGE.rglob("*.py")}
    graph = {name: _imported(ast.parse(file.read_text()), set(files)) for name, file in files.items()}
    # `from epochal import devices` is a module, not the package, which is what a trainer's author sees of all.
    graph = {name: imported - {"epochal"} for name, imported in graph.items()}
    assert graph["epochal.application"] >= {"epochal.training", "epochal.shutdown"}
    TopologicalSorter(graph).prepare()  # `CycleError` names the modules of a circle.
