"""Who may import whom: the rooms of the house, checked by what each module says it imports."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# From the ground floor upwards; rooms in one row know nothing of each other.
FLOORS = (
    {
        "vae.errors",
        "vae.files",
        "vae.limits",
        "vae.images",
        "vae.names",
        "vae.trash",
        "vae.threads",
        "vae.watched",
    },
    {"vae.models", "vae.datasets"},
    {"vae.latent"},
    {"vae.training", "vae.page"},
    {"vae.runs"},
    {"vae.commands"},
    {"vae.__main__"},
    {"ui"},
    {"pages"},
    {"app"},
)


def modules() -> dict[str, Path]:
    """The files of the project by their dotted names."""
    paths = [
        ROOT / "app.py",
        *(path for top in ("vae", "ui", "pages") for path in (ROOT / top).rglob("*.py")),
    ]
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
    }


MODULES = modules()


def imports(name: str, everywhere: bool = True) -> set[str]:
    """What a module imports: modules of the project and top-level names of others.

    Arguments:
        everywhere: Whether imports inside functions count, and those for types alone.
    """
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {member if member in MODULES else node.module for member in members}
    return found


def room(name: str) -> str:
    """The room of FLOORS that a module is in; the face of a package has none."""
    rooms = [known for floor in FLOORS for known in floor]
    return next((known for known in rooms if name == known or name.startswith(f"{known}.")), "")


def floor(name: str) -> int:
    return next(level for level, rooms in enumerate(FLOORS) if room(name) in rooms)


@pytest.mark.parametrize("name", [name for name in MODULES if room(name)])
def test_no_import_runs_back_up(name):
    for other in imports(name) & set(MODULES):
        if room(other):
            assert floor(other) <= floor(name), f"{name} imports {other}"
            assert floor(other) < floor(name) or room(other) == room(name) or floor(name) == 0, (
                f"{name} imports its neighbour {other}"
            )


def test_no_circle_of_imports():
    # A package's face is run before any module in it, which is no import that the module makes.
    graph = {name: imports(name, everywhere=False) & set(MODULES) - {name} for name in MODULES}
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_the_halves_meet_at_arrays(name):
    tops = {other.split(".")[0] for other in imports(name)}
    if name.startswith("vae"):
        assert not tops & {"streamlit", "ui", "pages"}
    else:
        assert "torch" not in tops


def offered(name: str) -> set[str] | None:
    """What a module's ``__all__`` says; None where it has none."""
    for node in ast.parse(MODULES[name].read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return None


def taken(name: str) -> set[tuple[str, str]]:
    """What a module takes from others: their names, and what it takes of each."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    found, known_as = set(), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for alias in node.names:
                if (member := f"{node.module}.{alias.name}") in MODULES:
                    known_as[alias.asname or alias.name] = member
                else:
                    found.add((node.module, alias.name))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = known_as.get(node.value.id, "")
            if module and f"{module}.{node.attr}" not in MODULES:
                found.add((module, node.attr))
    return found


def house(name: str) -> str:
    """A module's room, the folders of ui/ being rooms as well; by itself, one that has none."""
    parts = name.split(".")
    return ".".join(parts[:2]) if len(parts) > 2 else room(name) or name


@pytest.mark.parametrize("name", MODULES)
def test_all_says_what_other_rooms_import(name):
    for other, what in taken(name):
        if house(other) != house(name) and (said := offered(other)) is not None:
            assert what in said, f"{name} takes {what}, which is not in __all__ of {other}"
