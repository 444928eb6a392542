"""The browser's modules joined into one script: whole, in order, and no name taken twice."""

import re
from pathlib import Path

import pytest

from ui.browser import HERE, constant, script

DOORS = (
    "live.js",
    "axes.js",
    "streamlit.js",
    "standalone.js",
    "page.js",
    "learn.js",
    "lesson_later.js",
    "lesson_page.js",
    "frames.js",
    "weights.js",
    "arrows.js",
    "labels.js",
    "photo_frame.js",
)
MODULES = sorted(path.name for path in HERE.glob("*.js"))


def write(folder: Path, **modules: str) -> Path:
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text, encoding="utf-8")
    return folder


def test_what_is_imported_comes_first_and_once(tmp_path):
    write(
        tmp_path,
        door='import { b } from "./b.js";\nimport {\n  a,\n  c,\n} from "./a.js";\n'
        "export default function () {\n  return a + b + c;\n}\nexport const last = 1;\n",
        b='/** Says\n * b.\n */\nimport { a } from "./a.js";\n// Why.\nexport const b = a;\n',
        a="export const a = 1;\nexport class c {}\nconst mine = 2;\n",
    )
    assert script("door.js", tmp_path) == (
        "const a = 1;\nclass c {}\nconst mine = 2;\n\nconst b = a;\n\n"
        "export default function () {\n  return a + b + c;\n}\nexport const last = 1;\n"
    )


def test_only_whole_lines_of_comment_stay_behind(tmp_path):
    text = 'const at = "https://x"; // here\nconst b = /** @type {any} */ (at);\n'
    write(tmp_path, door=f"/** One. */\n/* Two. */\n{text}  /** @param {{x}} y */\n")
    assert script("door.js", tmp_path) == f"/* Two. */\n{text}"


IMPORTS_X = 'import { x } from "./a.js";\n'


@pytest.mark.parametrize(
    ("door", "a", "sentence"),
    [
        (f"{IMPORTS_X}const y = 1;\n", "export const x = 1;\nlet y;\n", "both declare y"),
        (IMPORTS_X, "const x = 1;\n", "does not export"),
        ('import { x as y } from "./a.js";\n', "export const x = 1;\n", "does not export"),
        (IMPORTS_X, 'import { y } from "./door.js";\nexport const x = 1;\n', "in a circle"),
        ('import x from "./a.js";\n', "export default function () {}\n", "says import"),
        (IMPORTS_X, "export const x = 1;\nexport default function () {}\n", "says export"),
        ('import { x } from "elsewhere";\n', "", "says import"),
        ("const x = 1;\nexport { x };\n", "", "says export"),
        ("const { x } = globalThis;\n", "", "takes something apart"),
    ],
    ids=["clash", "private", "renamed", "circle", "default", "door", "package", "list", "apart"],
)
def test_what_cannot_be_joined_is_refused(tmp_path, door, a, sentence):
    with pytest.raises(ValueError, match=sentence):
        script("door.js", write(tmp_path, door=door, a=a))


def test_numbers_are_taken_from_the_modules():
    assert constant("tray.js", "MOST_PINS") == 6
    with pytest.raises(ValueError, match=r"tray\.js declares no number MOST\."):
        constant("tray.js", "MOST")


@pytest.mark.parametrize("door", DOORS)
def test_every_door_can_be_joined(door):
    joined = script(door)
    assert not re.search(r"^import\b", joined, re.MULTILINE)
    assert len(re.findall(r"^export\b", joined, re.MULTILINE)) == 1


def test_every_module_is_behind_a_door():
    texts = {name: (HERE / name).read_text(encoding="utf-8") for name in MODULES}
    imported = {other for text in texts.values() for other in re.findall(r'"\./(\w+\.js)"', text)}
    assert sorted(imported | set(DOORS)) == MODULES
