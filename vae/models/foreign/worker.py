"""One ONNX graph, run by onnxruntime in a process that its limits may end at any moment.

    python -m vae.models.foreign.worker

Requests come on stdin and answers go to stdout, each of them a message: four bytes, the length of
a JSON object, that object, and the arrays whose types and shapes its field ``arrays`` lists, one
behind the other. The first request brings the file; every other one runs it. A graph that kills
this process kills nothing else. Torch is never imported.
"""

__all__ = ["Message", "receive", "send"]

import contextlib
import json
import math
import os
import sys
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

import numpy as np

from vae.errors import VisageError
from vae.limits import Ceiling, in_words
from vae.models.foreign import guard

if TYPE_CHECKING:
    from onnx import ModelProto
    from onnxruntime import InferenceSession

Message = tuple[dict, list[np.ndarray]]

# No message's description is longer, in bytes, and no array larger.
LONGEST_HEAD = 2**22
LARGEST_ARRAY = 2**30

# What onnxruntime calls the numbers that can be given and taken.
TYPES = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16"}

MOVING = ("Identity", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Cast")


def send(stream: IO[bytes], head: dict, arrays: Sequence[np.ndarray] = ()) -> None:
    """Write a message."""
    said = [{"dtype": array.dtype.name, "shape": array.shape} for array in arrays]
    text = json.dumps({**head, "arrays": said}).encode()
    stream.write(len(text).to_bytes(4, "little") + text)
    for array in arrays:
        stream.write(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    stream.flush()


def receive(stream: IO[bytes]) -> Message | None:
    """Read a message; None where the stream has ended, or is no stream of messages."""
    length = stream.read(4)
    size = int.from_bytes(length, "little")
    if len(length) < 4 or size > LONGEST_HEAD:
        return None
    text = stream.read(size)
    if len(text) < size:
        return None
    head = json.loads(text)
    arrays = []
    for said in head.pop("arrays", []):
        dtype = np.dtype(said["dtype"])
        size = dtype.itemsize * math.prod(said["shape"])
        content = stream.read(size) if size <= LARGEST_ARRAY else b""
        if len(content) < size or size > LARGEST_ARRAY:
            return None
        arrays.append(np.frombuffer(content, dtype).reshape(said["shape"]))
    return head, arrays


def opened(content: bytes) -> "tuple[InferenceSession, dict]":
    """A session of an ONNX file, and what is known of its inputs and outputs.

    Raises:
        VisageError: It is refused, or onnxruntime refuses it.
    """
    model = guard.check(content)
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Every other kind of file that onnxruntime knows has passed no guard.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    except MemoryError:
        raise
    except Exception as error:
        # Its own kinds of errors have no common base but this.
        raise _refused(error, "It can't be opened by onnxruntime") from error
    return session, {
        "inputs": [_said(value) for value in session.get_inputs()],
        "outputs": [
            _said(value) | {"made_by": _made_by(model, value.name)}
            for value in session.get_outputs()
        ],
    }


def run(session: "InferenceSession", head: dict, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Answers to one request: ``inputs`` names what the arrays are, ``outputs`` what is wanted.

    Raises:
        VisageError: It can't be run so.
    """
    given = dict(zip(head["inputs"], arrays, strict=True))
    try:
        found = session.run(head["outputs"], given)
    except MemoryError:
        raise
    except Exception as error:
        raise _refused(error, "It can't be run") from error
    answers = [value for value in found if isinstance(value, np.ndarray)]
    if len(answers) < len(found) or not all(array.dtype.kind == "f" for array in answers):
        raise VisageError("It answers with something else than numbers.")
    return [one if one.dtype == np.float64 else one.astype(np.float32) for one in answers]


def _refused(error: Exception, what: str) -> VisageError:
    text = " ".join(str(error).split())
    if ("alloc" in text.lower() and "fail" in text.lower()) or "bad_alloc" in text:
        raise MemoryError from error
    if len(text) > 300:
        text = text[:300] + "…"
    return VisageError(f"{what}: {text.rstrip('.')}.")


def _said(value) -> dict:
    """Name, type and shape of an input or output; sizes that are not told are None."""
    shape = value.shape if isinstance(value.shape, list) else []
    return {
        "name": value.name,
        "dtype": TYPES.get(value.type, ""),
        "shape": [size if isinstance(size, int) and size > 0 else None for size in shape],
    }


def _made_by(model: "ModelProto", output: str) -> str:
    """The operator that gives an output, before those that only move values about."""
    made = {name: node for node in model.graph.node for name in node.output}
    # As many as there are: a damaged graph may go in circles.
    for _ in range(len(made)):
        node = made.get(output)
        if node is None or node.op_type not in MOVING:
            return node.op_type if node is not None else ""
        output = node.input[0] if node.input else ""
    return ""


def main() -> None:
    limit()
    source = sys.stdin.buffer
    # What a library prints must not be taken for an answer.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    session = None
    while (message := receive(source)) is not None:
        head, arrays = message
        try:
            if session is None:
                session, known = opened(arrays[0].tobytes())
                answer = known, []
            else:
                answer = {}, run(session, head, arrays)
        except VisageError as error:
            answer = {"error": str(error)}, []
        except MemoryError:
            answer = (
                {
                    "error": f"It needs over {in_words(Ceiling.MODEL_MEMORY())} of memory, the "
                    f"limit ({Ceiling.MODEL_MEMORY.variable})."
                },
                [],
            )
        try:
            send(out, *answer)
        except BrokenPipeError:
            os._exit(0)


def limit() -> None:
    """Refuse to allocate beyond the ceiling, and to write any file."""
    try:
        import resource
    except ImportError:
        # Windows has no such limits; whoever asked watches this process as well.
        return
    most = Ceiling.MODEL_MEMORY() * 7 // 8
    for what, size in (
        (resource.RLIMIT_DATA, most),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (size, size))


if __name__ == "__main__":
    main()
