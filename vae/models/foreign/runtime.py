"""Asking a stranger's graph: the side of the process that must not be taken down by it.

Each file has a worker of its own (:mod:`vae.models.foreign.worker`), which is started when it is
first asked, ended when it takes too much or has not been asked for long, and started again when it
is asked again.
"""

__all__ = ["Graph", "Port", "graph_of"]

import atexit
import contextlib
import hashlib
import os
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

import numpy as np

from vae.errors import VisageError
from vae.limits import Ceiling
from vae.models.foreign import worker
from vae.watched import Watch

# Workers that are kept; beyond, who has not been asked for longest is ended.
MOST_WORKERS = 6


@dataclass(frozen=True)
class Port:
    """An input or an output of a graph, as the file declares it.

    Arguments:
        name: Its name there.
        dtype: ``float32``, ``float64`` or ``float16``; empty for anything else.
        shape: Its sizes, None where they are not told.
        made_by: Of an output, the operator whose values it has; empty where that is not known.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    made_by: str = ""

    @classmethod
    def of(cls, said: Mapping) -> "Port":
        """What a worker told of it."""
        made_by = said.get("made_by", "")
        return cls(said["name"], said["dtype"], tuple(said["shape"]), made_by)


class Graph:
    """One ONNX file, run elsewhere.

    Arguments:
        content: The file's bytes.

    Attributes:
        inputs: What it takes.
        outputs: What it gives.
    """

    def __init__(self, content: bytes):
        self._content = content
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._known: tuple[list[Port], list[Port]] | None = None
        self._watch: Watch | None = None

    @property
    def inputs(self) -> list[Port]:
        """What the file takes; raises as :meth:`run` does."""
        return self._ports()[0]

    @property
    def outputs(self) -> list[Port]:
        """What the file gives; raises as :meth:`run` does."""
        return self._ports()[1]

    def run(
        self,
        given: Mapping[str, np.ndarray],
        wanted: Sequence[str],
        seconds: float | None = None,
    ) -> list[np.ndarray]:
        """The graph's answers.

        Arguments:
            given: An array for each input, of the type that it takes.
            wanted: The names of outputs.
            seconds: Of work that it may take; the ceiling of ``VISAGE_MAX_MODEL_SECONDS`` if not
                given.

        Returns:
            float32 or float64, of each output wanted.

        Raises:
            VisageError: It is refused, fails, crashes, or takes too much time or memory; the
                sentence begins with "It".
        """
        request = {"inputs": [*given], "outputs": [*wanted]}
        with self._lock:
            self._start()
            _, arrays = self._ask(request, [*given.values()], seconds)
        _asked(self)
        return arrays

    def close(self) -> None:
        """End the worker; it is started again when it is needed."""
        with self._lock:
            process, self._process = self._process, None
            if self._watch is not None:
                self._watch.end()
                self._watch = None
            if process is not None:
                process.kill()
                for pipe in (process.stdin, process.stdout):
                    if pipe is not None:
                        with contextlib.suppress(OSError):
                            pipe.close()
                process.wait()

    def _ports(self) -> tuple[list[Port], list[Port]]:
        with self._lock:
            if self._known is None:
                self._start()
            known = self._known
        assert known is not None
        _asked(self)
        return known

    def _start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "vae.models.foreign.worker"],
            # Each thread of these takes memory of its own, and there is no use for them.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Whatever a stranger's file makes a library say is no news for the server's log.
            stderr=subprocess.DEVNULL,
        )
        self._watch = Watch(self._process, "run", Ceiling.MODEL_SECONDS, Ceiling.MODEL_MEMORY)
        try:
            head, _ = self._ask({}, [np.frombuffer(self._content, np.uint8)], None)
        except VisageError:
            self.close()
            raise
        self._known = (
            [Port.of(said) for said in head["inputs"]],
            [Port.of(said) for said in head["outputs"]],
        )

    def _ask(self, head: dict, arrays: list[np.ndarray], seconds: float | None) -> worker.Message:
        process, watch = self._process, self._watch
        assert process is not None and watch is not None
        assert process.stdin is not None and process.stdout is not None
        seconds = Ceiling.MODEL_SECONDS() if seconds is None else seconds
        watch.begin(seconds)
        try:
            worker.send(process.stdin, head, arrays)
            answer = worker.receive(process.stdout)
        except (OSError, ValueError, KeyError, TypeError):
            # What has been ended, or has lost its memory, no longer speaks.
            answer = None
        finally:
            watch.pause()
        if answer is None:
            why = watch.why or "ends whoever runs it: it is damaged, or needs too much memory"
            self.close()
            raise VisageError(f"It {why}.")
        if "error" in answer[0]:
            raise VisageError(answer[0]["error"])
        return answer


# Of the bytes of files that are still held, and those whose workers live, the last asked at the
# end.
_GRAPHS: WeakValueDictionary[bytes, Graph] = WeakValueDictionary()
_LIVE: OrderedDict[int, Graph] = OrderedDict()
_LISTS = threading.Lock()


def graph_of(content: bytes) -> Graph:
    """The graph of a file, the same one for the same bytes."""
    key = hashlib.sha256(content).digest()
    with _LISTS:
        graph = _GRAPHS.get(key)
        if graph is None:
            graph = _GRAPHS[key] = Graph(content)
        return graph


def _asked(graph: Graph) -> None:
    """Keep a worker, and end those that have not been asked for longest."""
    with _LISTS:
        _LIVE[id(graph)] = graph
        _LIVE.move_to_end(id(graph))
        too_many = [*_LIVE.values()][:-MOST_WORKERS]
        for other in too_many:
            del _LIVE[id(other)]
    for other in too_many:
        other.close()


@atexit.register
def _end_all() -> None:
    for graph in [*_LIVE.values()]:
        graph.close()
