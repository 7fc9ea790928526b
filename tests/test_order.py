"""The house rules that a reader relies on: imports run one way through the rooms, files and functions stay short."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BUNDLE = ROOT / "bundle"
FILES = sorted(BUNDLE.rglob("*.py"))

# each may import those before it; training and evaluation meet in the configs only
ROOMS = """console counted errors paths settings written sole_writer outputs fourier_matrices fourier plotting
table_formats data quality acquisition kspace networks compute training evaluation reconstruction demo ixi study
benchmark label __main__""".split()
STRANGERS = {"training": {"evaluation"}, "evaluation": {"training"}}
MAY_IMPORT = {room: set(ROOMS[: place + 1]) - STRANGERS.get(room, set()) for place, room in enumerate(ROOMS)}
MAY_IMPORT["networks"] = {"errors", "fourier", "networks"}  # plain torch

MOST_LINES, MEAN_LINES, MOST_FUNCTION_LINES = 220, 130, 30


def room_of(file: Path) -> str:
    return file.relative_to(BUNDLE).parts[0].removesuffix(".py")


def imported_modules(file: Path) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of what a file of the bundle imports of the bundle."""
    package = ("bundle", *file.relative_to(BUNDLE).parts[:-1])
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name.split(".")[0] == "bundle")
        elif isinstance(node, ast.ImportFrom):
            origin = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join((*origin, *filter(None, [node.module])))
            if module == "bundle":  # from .. import errors
                yield from ((node.lineno, f"bundle.{alias.name}") for alias in node.names)
            elif module.startswith("bundle."):
                yield node.lineno, module


def wrong_imports(file: Path) -> list[str]:
    room = room_of(file)
    return [
        f"{file.relative_to(ROOT)}:{line}: {room} imports {name}"
        for line, name in imported_modules(file)
        if name.split(".")[1] not in MAY_IMPORT[room]
    ]


def functions_of(file: Path) -> Iterator[tuple[str, int]]:
    """Name and number of lines of each function, its decorators and its docstring not counted."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            documented = isinstance(first, ast.Expr) and ast.get_docstring(node) is not None
            docstring = first.end_lineno - first.lineno + 1 if documented else 0
            yield node.name, node.end_lineno - node.lineno + 1 - docstring


def test_every_module_stands_in_a_room():
    assert {room_of(file) for file in FILES} - {"__init__"} == set(ROOMS)


def test_nothing_imports_from_a_later_room():
    assert [wrong for file in FILES if room_of(file) != "__init__" for wrong in wrong_imports(file)] == []


@pytest.mark.parametrize(
    ("place", "line", "wrong"),
    [
        ("data/pairs.py", "from ..training.losses import ImageLoss", "data imports bundle.training.losses"),
        ("data/pairs.py", "from .. import training", "data imports bundle.training"),
        ("data/pairs.py", "import bundle.training", "data imports bundle.training"),
        ("errors.py", "from .settings import flag", "errors imports bundle.settings"),
        ("networks/unet.py", "from ..data import slices", "networks imports bundle.data"),
        ("networks/unet.py", "from ..settings import flag", "networks imports bundle.settings"),
        ("evaluation/tables.py", "from ..training import weights", "evaluation imports bundle.training"),
        ("training/curves.py", "from ..evaluation import figures", "training imports bundle.evaluation"),
        ("study/plan.py", "def f():\n    from ..benchmark import timing", "study imports bundle.benchmark"),
        ("networks/unet.py", "from .attention import a\nfrom ..fourier import b\nfrom ..errors import c", None),
        ("study/plan.py", "from ..training import a\nfrom ..evaluation import b\nimport torch", None),
    ],
)
def test_a_wrong_import_is_found_with_its_line_in_all_its_forms(tmp_path, monkeypatch, place, line, wrong):
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    monkeypatch.setattr(f"{__name__}.BUNDLE", tmp_path / "bundle")
    file = tmp_path / "bundle" / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(line + "\n")
    number = line.count("\n") + 1
    assert wrong_imports(file) == ([f"bundle/{place}:{number}: {wrong}"] if wrong else [])


def test_files_are_short():
    lines = {str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines()) for file in FILES}
    assert {name: number for name, number in lines.items() if number > MOST_LINES} == {}
    assert sum(lines.values()) / len(lines) <= MEAN_LINES


def test_functions_are_short():
    longer = {
        f"{file.relative_to(BUNDLE)}:{name}": lines
        for file in FILES
        for name, lines in functions_of(file)
        if lines > MOST_FUNCTION_LINES
    }
    assert longer == {}


def test_the_formatter_is_switched_off_nowhere():
    switches = ("# fmt: " + "skip", "# fmt: " + "off")
    files = [*FILES, *sorted((ROOT / "tests").rglob("*.py"))]
    assert [str(file) for file in files if any(word in file.read_text(encoding="utf-8") for word in switches)] == []
