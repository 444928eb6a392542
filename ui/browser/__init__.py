"""What runs in the visitor's browser: ES modules of one idea each, and the doors to them.

The modules import each other by relative path, as browsers, editors and Node read them. Streamlit
takes the JavaScript of a component as one text, and so does a page that is a single file: for them
a door is joined here with all that it imports, so that nothing has to be built beforehand.
"""

__all__ = ["constant", "lesson_parts", "page_parts", "read", "recordings", "script"]

import functools
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

# The few forms that the modules use; what is declared begins a line.
IMPORT = re.compile(r'^import \{([^}]*)\} from "\./(\w+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const|let)\b)", re.MULTILINE)
DEFAULT = re.compile(r"^export default (?=function\b)", re.MULTILINE)
DECLARED = re.compile(
    r"^(export )?(?:async )?(?:function\*?|class|const|let|var)\s+(\w+|[{[])", re.MULTILINE
)
OTHER_FORMS = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)
COMMENT = re.compile(r"^ *(?:/\*\*(?:(?!\*/).)*\*/|//[^\n]*)\n", re.MULTILINE | re.DOTALL)


@functools.cache
def read(name: str) -> str:
    """A file of this folder, as it stands."""
    return (HERE / name).read_text(encoding="utf-8")


@functools.cache
def constant(module: str, name: str) -> int:
    """A whole number that a module declares, for what Python has to do by the same measure.

    Raises:
        ValueError: The module declares none by that name.
    """
    declared = re.search(rf"^(?:export )?const {name} = (\d+);$", read(module), re.MULTILINE)
    if declared is None:
        raise ValueError(f"{module} declares no number {name}.")
    return int(declared[1])


@functools.cache
def script(door: str, folder: Path = HERE) -> str:
    """A module and all that it imports, as one module with the exports of the first.

    Comments stay behind: they are a third of what would travel to every visitor.

    Arguments:
        door: The module's file name, such as ``streamlit.js``.
        folder: Where it and the others lie.

    Raises:
        ValueError: Modules import each other in a circle, import what is not exported, declare
            the same name, or say something in a form that is not understood here.
    """
    texts: dict[str, str] = {}
    _collect(door, folder, (), texts)
    owners: dict[str, str] = {}
    for module, text in texts.items():
        for name in _declared(text):
            if name in owners:
                raise ValueError(f"{owners[name]} and {module} both declare {name}.")
            owners[name] = module
    joined = [
        IMPORT.sub("", text if module == door else EXPORT.sub("", text))
        for module, text in texts.items()
    ]
    return COMMENT.sub("", "\n".join(joined))


def recordings() -> dict[str, bytes]:
    """The recorded runs that the lesson is told with, by their names: safetensors files that
    ``benchmarks/lesson_recordings.py`` writes and ``recorded.js`` reads."""
    files = sorted((HERE.parent / "learn").glob("*.safetensors"))
    return {file.stem: file.read_bytes() for file in files}


def page_parts() -> dict[str, Any]:
    """What a page that is sent is made of beside its models: :class:`vae.page.Parts`, as a dict,
    since nothing here imports from another room."""
    # The policy of the page takes no style of an element's own: page.js sets it.
    pad = re.sub(r' style="[^"]*"', "", read("pad.html"))
    outline = read("page.html").replace("$pad", pad)
    outline = outline.replace("$photo_frame", read("photo_frame.html"))
    return {
        "outline": outline,
        "style": "\n".join(
            read(f"{name}.css") for name in ("pad", "photo_frame", "own_face", "page")
        ),
        "script": f"{script('page.js')}\nopenPage(document);\n",
        "icon": (HERE.parent / "icon.svg").read_text(encoding="utf-8"),
    }


def lesson_parts() -> dict[str, Any]:
    """What a lesson that is sent is made of, as :func:`page_parts` has it for a page."""
    return {
        "outline": read("lesson.html").replace("$lesson", read("learn.html")),
        # What the page says of all its elements, the lesson says of its own.
        "style": f"{read('page.css')}\n{read('learn.css')}",
        "script": f"{script('lesson_page.js')}\nopenLesson(document);\n",
        "icon": (HERE.parent / "icon.svg").read_text(encoding="utf-8"),
        "recordings": recordings(),
    }


def _collect(module: str, folder: Path, importers: tuple, texts: dict[str, str]) -> None:
    """Read a module after those that it imports."""
    if module in importers:
        raise ValueError(f"{' imports '.join([*importers, module])}: this goes in a circle.")
    if module in texts:
        return
    text = (folder / module).read_text(encoding="utf-8")
    for wanted, other in IMPORT.findall(text):
        _collect(other, folder, (*importers, module), texts)
        exported = _declared(texts[other], exported=True)
        for name in filter(None, map(str.strip, wanted.split(","))):
            if name not in exported:
                raise ValueError(f"{module} imports {name}, which {other} does not export.")
    rest = EXPORT.sub("", IMPORT.sub("", text))
    strange = OTHER_FORMS.search(rest if importers else DEFAULT.sub("", rest))
    if strange:
        raise ValueError(f"{module} cannot be joined: it says {strange[0]}")
    texts[module] = text


def _declared(text: str, exported: bool = False) -> list[str]:
    """The names that a module declares outside of functions, or those of them that it exports."""
    names = [name for export, name in DECLARED.findall(text) if export or not exported]
    if "{" in names or "[" in names:
        raise ValueError("A module takes something apart outside of a function.")
    return names
