"""The import order: a module imports only from groups above its own (docs/design.md, section 2)."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import zeuxis

ROOT = Path(zeuxis.__file__).parent
# Each line may import from the lines above it. `types` to `config` are read one after the other, so each is a line.
ORDER = [
    *(["types"], ["errors"], ["rng"], ["plugins"], ["registry"], ["config"]),
    ["storage"],
    ["compute"],
    ["pictures"],
    ["metrics"],
    ["data"],
    ["spaces", "nets"],
    ["hub"],
    ["generators", "scorers", "search"],
    ["evaluation"],
    ["prompts"],
    ["trust"],
    ["run", "lab", "configs"],
    ["report"],
    ["experiments"],
    ["studies"],
    ["tools", "workflows"],
    ["demonstrations"],
    ["studio"],
    ["cli", "pocket"],
    ["notebook"],
    ["__main__"],
]
LINE = {unit: number for number, units in enumerate(ORDER) for unit in units}
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def unit_of(path):
    return path.parts[0].removesuffix(".py")


def for_types_only(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def imports(node):
    """Dotted names that this code imports when it runs, wherever in it the import stands."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (f"{node.module}.{alias.name}" if not node.level else "relative" for alias in node.names)
    for child in ast.iter_child_nodes(node):
        if not for_types_only(child):
            yield from imports(child)


def own_imports(path):
    names = list(imports(ast.parse((ROOT / path).read_text(encoding="utf-8"))))
    assert "relative" not in names, f"{path}: write imports in full, from zeuxis.x import y"
    units = {name.split(".")[1] for name in names if name.startswith("zeuxis.")}
    return {unit for unit in units if (ROOT / unit).is_dir() or (ROOT / f"{unit}.py").exists()}  # not `__version__`


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_point_upwards(path):
    own = unit_of(path)
    for other in own_imports(path) - {own}:
        assert LINE[other] < LINE[own], f"{path}: {own} may not import {other}"


def test_every_unit_has_its_place():
    assert {unit_of(path) for path in MODULES} <= set(LINE)


def test_the_arrows_are_seen():
    code = (
        "import zeuxis.run.loop\ndef f():\n    from zeuxis.cli import main\nif TYPE_CHECKING:\n    import zeuxis.lab\n"
    )
    assert list(imports(ast.parse(code))) == ["zeuxis.run.loop", "zeuxis.cli.main"]


@pytest.mark.parametrize(
    "module",
    [
        "zeuxis",
        *(f"zeuxis.{name}" for name in ("errors", "registry", "config")),
        *(f"zeuxis.{name}" for name in ("generators", "scorers", "search")),
        "zeuxis.cli.main",
    ],
)
def test_names_can_be_listed_without_torch(module):
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not written yet")
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
