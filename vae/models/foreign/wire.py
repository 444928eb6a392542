"""How large an ONNX file says it is, found before anything of it is parsed.

A parser makes objects of all that it reads: some hundred bytes for each of an operation's two. So
the operations are counted first, by the tags and lengths of protobuf's wire format alone.

References:
    Protocol Buffers: encoding https://protobuf.dev/programming-guides/encoding
    ONNX's messages https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

__all__ = ["count"]

from collections.abc import Iterator

from vae.errors import VisageError

# Fields by their numbers in ONNX's messages: those that hold messages in which operations lie, and
# what they hold.
MODEL = {7: "graph", 20: "training", 25: "function"}
INSIDE = {
    "graph": {1: "node", 5: "constant"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {6: "graph", 11: "graph"},
    "constant": {},
}

# Graphs lie in operations of graphs, in earnest one or two deep.
DEEPEST = 12


def count(content: bytes, most: int) -> int:
    """How many operations and constants an ONNX file holds, in all graphs and functions of it.

    Raises:
        VisageError: They are more than ``most``, or it is no such file.
    """
    view = memoryview(content)
    found = 0
    todo = [(kind, part, 1) for kind, part in _inside(view, MODEL)]
    if not any(kind == "graph" for kind, _, _ in todo):
        raise VisageError("It is no ONNX file, or a damaged one.")
    while todo:
        kind, part, depth = todo.pop()
        found += kind in ("node", "constant")
        if found > most:
            raise VisageError(
                f"It has over {most:,} operations and constants, the limit "
                "(VISAGE_MAX_MODEL_NODES)."
            )
        if depth > DEEPEST:
            raise VisageError("Its graphs are nested too deeply.")
        todo += [(inner, what, depth + 1) for inner, what in _inside(part, INSIDE[kind])]
    return found


def _inside(message: memoryview, kinds: dict[int, str]) -> Iterator[tuple[str, memoryview]]:
    """The messages in a message, of the fields wanted."""
    if not kinds:
        return
    place, end = 0, len(message)
    while place < end:
        tag, place = _number(message, place)
        match tag & 7:
            case 0:
                _, place = _number(message, place)
            case 1:
                place += 8
            case 5:
                place += 4
            case 2:
                size, place = _number(message, place)
                if (kind := kinds.get(tag >> 3)) is not None:
                    yield kind, message[place : place + size]
                place += size
            case _:
                raise VisageError("It is no ONNX file, or a damaged one.")
    if place != end:
        raise VisageError("It is no ONNX file, or a damaged one: it may be cut short.")


def _number(message: memoryview, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise VisageError("It is no ONNX file, or a damaged one: it may be cut short.")
