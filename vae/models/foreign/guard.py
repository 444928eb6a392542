"""What is refused of a stranger's ONNX file before anything of it is run."""

__all__ = ["check"]

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vae.errors import VisageError
from vae.limits import Ceiling, in_words
from vae.models.foreign import wire

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

# The operators that ONNX itself defines. Any other domain means code that is not in the file.
OWN_DOMAINS = ("", "ai.onnx")

# What says itself how often it goes round.
LOOPS = ("Loop", "Scan", "SequenceMap")

# Constants that say they have more values than a file of the largest size could hold.
MOST_VALUES = 2**30


def check(content: bytes) -> "ModelProto":
    """Parse an ONNX file that is small and plain enough to be run.

    Raises:
        VisageError: It is too large, damaged, or refers to anything outside itself; the sentence
            begins with "It".
    """
    if len(content) > Ceiling.MODEL():
        raise VisageError(
            f"It has {in_words(len(content))}; the limit is {in_words(Ceiling.MODEL())} "
            f"({Ceiling.MODEL.variable})."
        )
    wire.count(content, Ceiling.MODEL_NODES())
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, ValueError, RecursionError) as error:
        raise VisageError("It is no ONNX file, or a damaged one: export it again.") from error
    if model.functions or model.training_info:
        raise VisageError(
            "It holds functions or training steps of its own, which are not run here: export the "
            "plain graph (onnx.inliner.inline_local_functions makes one)."
        )
    for graph in _graphs(model.graph):
        for node in graph.node:
            if node.domain not in OWN_DOMAINS:
                raise VisageError(
                    f"It needs the operator {_short(node.op_type)} of {_short(node.domain)}, "
                    "which is not ONNX's own: export it without custom operators."
                )
            if node.op_type in LOOPS:
                raise VisageError(
                    f"It holds a loop ({node.op_type}), and nobody can tell how long that runs: "
                    "export it unrolled."
                )
        for tensor in _tensors(graph):
            if tensor.data_location or tensor.external_data:
                raise VisageError(
                    "It keeps weights in another file, which is not read here: save it as one "
                    "file (onnx.save with save_as_external_data=False)."
                )
            values = 1
            for size in tensor.dims:
                values *= max(size, 0)
                if values > MOST_VALUES:
                    raise VisageError("It has a constant that is larger than the file itself.")
    return model


def _graphs(graph: "GraphProto") -> "Iterator[GraphProto]":
    """A graph and all that lie in its operations."""
    todo = [graph]
    while todo:
        graph = todo.pop()
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                todo += [attribute.g] if attribute.HasField("g") else []
                todo += attribute.graphs


def _tensors(graph: "GraphProto") -> "Iterator[TensorProto]":
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        yield from _constants(node)


def _constants(node: "NodeProto") -> "Iterator[TensorProto]":
    for attribute in node.attribute:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        sparse = [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
        for one in (*sparse, *attribute.sparse_tensors):
            yield from (one.values, one.indices)


def _short(name: str) -> str:
    return name[:60] if name.isprintable() else "unreadable name"
