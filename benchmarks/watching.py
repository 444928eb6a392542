"""What it costs when many look: how long each waits, what training loses, what a session holds.

    python -m benchmarks.watching [--viewers 10] [--turns 4] [--seconds 15] [--dataset frey]
    python -m benchmarks.watching crowd [--sessions 50] [--seconds 10] [--page morph …]

Starts the app and one training run, and takes turns: a while without viewers, a while with them,
in one and the same run. A viewer is what a browser is to the server: a connection that opens the
Train page and asks again each time the page wants it to; the browsers themselves, which on a real
deployment run elsewhere, are left out. Then a run of 10^6 records is opened on the page.

With ``crowd`` many sessions open each page and ask for a rerun, all at once and again as soon as
it has come: how long that takes, of the whole page and of the part that what a visitor does there
runs again, where there is one (a fragment); and the server's memory with them and after they have
left.
"""

import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
import psutil
import websockets
from streamlit.proto.AutoRerun_pb2 import AutoRerun
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from benchmarks.browser import ROOT, served
from vae import runs
from vae.runs import Run
from vae.training.recipes import TrainingConfig

RECORDS = 1_000_000

# The pages that a crowd looks at, by their addresses; Explore has the bare one.
CROWDED = ("", "manifold", "reconstruct", "morph", "train", "data")

# Seconds after which a server that keeps sessions for those who come back has given them up.
REST = 150

FINISHED = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)


class Viewer:
    """One visitor of the Train page; counts what it was sent."""

    def __init__(self, address: str, run: str):
        self.address = address.replace("http", "ws", 1) + "/_stcore/stream"
        self.query = f"run={run}"
        self.refreshes = 0
        self.bytes = 0
        self._page = ""
        self._again: dict[str, asyncio.Task] = {}

    async def watch(self, opened: asyncio.Event, once: bool = False) -> None:
        """Look at the run until cancelled, or until its page is whole."""
        self._page = ""
        async with websockets.connect(
            self.address, subprotocols=["streamlit"], max_size=None
        ) as connection:
            await self._ask(connection, page_name="train")
            try:
                async for content in connection:
                    self.bytes += len(content)
                    message = ForwardMsg.FromString(content)
                    kind = message.WhichOneof("type")
                    if kind == "new_session":
                        self._page = message.new_session.page_script_hash
                    elif kind == "auto_rerun":
                        self._keep_asking(connection, message.auto_rerun)
                    elif kind == "script_finished":
                        opened.set()
                        if once:
                            return
            finally:
                for task in self._again.values():
                    task.cancel()

    async def open(self) -> float:
        """Seconds until the page is whole."""
        started = time.perf_counter()
        await self.watch(asyncio.Event(), once=True)
        return time.perf_counter() - started

    def _keep_asking(self, connection: websockets.ClientConnection, wish: AutoRerun) -> None:
        old = self._again.pop(wish.fragment_id, None)
        if old is not None:
            old.cancel()
        self._again[wish.fragment_id] = asyncio.create_task(
            self._ask_again(connection, wish.fragment_id, wish.interval)
        )

    async def _ask_again(
        self, connection: websockets.ClientConnection, fragment: str, interval: float
    ) -> None:
        while True:
            await asyncio.sleep(interval)
            await self._ask(connection, fragment_id=fragment, is_auto_rerun=True)
            self.refreshes += 1

    async def _ask(self, connection: websockets.ClientConnection, **what: object) -> None:
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.page_script_hash = self._page
        for name, value in what.items():
            setattr(message.rerun_script, name, value)
        await connection.send(message.SerializeToString())


class Turn(NamedTuple):
    """What was measured in a while: speed of the run, load of the server, and what it sent."""

    steps: float
    cores: float
    refreshes: float
    bytes: float


async def measured(run: Run, process: psutil.Process, seconds: float, crowd: list[Viewer]) -> Turn:
    """Watch a run for a while, once all viewers have its page open; figures are by the second."""
    opened = [asyncio.Event() for _ in crowd]
    tasks = [
        asyncio.create_task(viewer.watch(event))
        for viewer, event in zip(crowd, opened, strict=True)
    ]
    for event in opened:
        await event.wait()
    await asyncio.sleep(2)
    before = figures(run, process, crowd)
    await asyncio.sleep(seconds)
    after = figures(run, process, crowd)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    elapsed, *grown = (late - early for late, early in zip(after, before, strict=True))
    return Turn(*(value / elapsed for value in grown))


def figures(run: Run, process: psutil.Process, crowd: list[Viewer]) -> tuple[float, ...]:
    times = process.cpu_times()
    return (
        time.perf_counter(),
        run.metrics()[-1]["step"],
        times.user + times.system,
        sum(viewer.refreshes for viewer in crowd),
        sum(viewer.bytes for viewer in crowd),
    )


def write_long_run(path: Path) -> float:
    """A finished run of 10^6 records; the size of its metrics in MB."""
    run = runs.create(TrainingConfig(dataset="olivetti", steps=RECORDS), path)
    run.set_status(state="finished", step=RECORDS)
    with (path / "metrics.jsonl").open("w") as file:
        for step in range(1, RECORDS + 1):
            elbo = 1_000 - 1_500 * step**-0.4 + 10 * (step % 97 / 97)
            measured = step % 2 == 0
            record = {
                "step": step,
                "samples": 100 * step,
                "seconds": step / 250,
                "elbo": elbo,
                "log_likelihood": elbo + 10,
                "kl": 10.0,
                "heldout_elbo": elbo - 60 if measured else None,
                "heldout_log_likelihood": elbo - 50 if measured else None,
                "heldout_kl": 10.0 if measured else None,
                "learning_rate": 0.003,
                "steps_per_second": 250.0,
            }
            file.write(json.dumps(record) + "\n")
    return (path / "metrics.jsonl").stat().st_size / 1e6


def server(address: str) -> psutil.Process:
    """The process that serves an address."""
    port = int(address.rpartition(":")[2])
    (pid,) = {
        connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.laddr.port == port and connection.status == psutil.CONN_LISTEN
    }
    return psutil.Process(pid)


class Session:
    """One visitor of a page, who asks for it again and again."""

    def __init__(self, address: str, page: str):
        self.address = address.replace("http", "ws", 1) + "/_stcore/stream"
        self.page = page
        self.waits: list[float] = []
        self.waits_for_part: list[float] = []
        # The first fragment of the page that is shown.
        self._shown, self._part = "", ""
        self._pages: dict[str, str] = {}
        # What a browser keeps of the messages it got, so that they are not sent again.
        self._known: set[str] = set()

    async def stay(self, opened: asyncio.Event, start: asyncio.Event, seconds: float) -> None:
        """Open the page; from ``start`` on ask for reruns, one after the other, for so long."""
        async with websockets.connect(
            self.address, subprotocols=["streamlit"], max_size=None
        ) as connection:
            await self._rerun(connection)
            await self._rerun(connection)
            opened.set()
            await start.wait()
            for part, waits in (("", self.waits), (self._part, self.waits_for_part)):
                until = time.perf_counter() + seconds
                while (part or waits is self.waits) and time.perf_counter() < until:
                    asked = time.perf_counter()
                    await self._rerun(connection, part)
                    waits.append(time.perf_counter() - asked)

    async def _rerun(self, connection: websockets.ClientConnection, part: str = "") -> None:
        message = BackMsg()
        message.rerun_script.fragment_id = part
        message.rerun_script.page_script_hash = self._pages.get(self.page, "")
        message.rerun_script.cached_message_hashes.extend(self._known)
        await connection.send(message.SerializeToString())
        async for content in connection:
            message = ForwardMsg.FromString(content)
            kind = message.WhichOneof("type")
            if message.metadata.cacheable:
                self._known.add(message.hash)
            if kind == "new_session" and message.new_session.page_script_hash != self._shown:
                self._shown, self._part = message.new_session.page_script_hash, ""
            elif kind == "delta":
                self._part = self._part or message.delta.fragment_id
            elif kind == "navigation":
                pages = message.navigation.app_pages
                self._pages = {page.url_pathname: page.page_script_hash for page in pages}
            elif kind == "script_finished" and message.script_finished in FINISHED:
                return


async def crowded(
    address: str, page: str, count: int, seconds: float
) -> tuple[list[float], list[float]]:
    """How long each rerun of a page took that so many sessions asked for at once, in seconds, and
    each of its part."""
    crowd = [Session(address, page) for _ in range(count)]
    opened = [asyncio.Event() for _ in crowd]
    start = asyncio.Event()
    tasks = [
        asyncio.create_task(session.stay(event, start, seconds))
        for session, event in zip(crowd, opened, strict=True)
    ]
    for event in opened:
        await event.wait()
    start.set()
    await asyncio.gather(*tasks)
    return (
        [wait for session in crowd for wait in session.waits],
        [wait for session in crowd for wait in session.waits_for_part],
    )


def report_crowd(
    address: str, sessions: int, seconds: float, pages: Sequence[str] = CROWDED
) -> None:
    process = server(address)
    for page in pages:
        asyncio.run(crowded(address, page, 2, 2))
    before = process.memory_info().rss
    for page in pages:
        whole, part = asyncio.run(crowded(address, page, sessions, seconds))
        for waits, what in ((whole, "the page"), (part, "its part")):
            if waits:
                print(
                    f"{page or 'explore':<12} {sessions} sessions: a rerun of {what} takes "
                    f"{statistics.median(waits):.2f} s, the slowest {max(waits):.2f} s "
                    f"({len(waits)} reruns)"
                )
        grown = (process.memory_info().rss - before) / sessions / 1e6
        print(f"{page or 'explore':<12} {grown:+.2f} MB a session")
    time.sleep(REST)
    # Streamlit lets go of sessions that nobody came back to when the next visitor leaves.
    asyncio.run(crowded(address, "", 1, 1))
    time.sleep(REST / 2)
    print(
        "after all have left: "
        f"{(process.memory_info().rss - before) / sessions / 1e6:+.2f} MB a session"
    )


@click.group(help=__doc__, invoke_without_command=True)
@click.pass_context
@click.option("--viewers", default=10, show_default=True)
@click.option("--turns", default=4, show_default=True)
@click.option("--seconds", default=15.0, show_default=True)
@click.option("--dataset", default="olivetti", show_default=True)
def main(context: click.Context, viewers: int, turns: int, seconds: float, dataset: str) -> None:
    if context.invoked_subcommand:
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["VISAGE_RUNS"] = str(Path(folder, "runs"))
        os.environ["VISAGE_QUEUE"] = str(Path(folder, "queue"))
        long_run = Path(folder, "runs", "long")
        size = write_long_run(long_run)
        with served(ROOT / "app.py", os.environ) as address:
            report_training(address, viewers, turns, seconds, dataset)
            report_opening(address, size)


@main.command()
@click.option("--sessions", default=50, show_default=True)
@click.option("--seconds", default=10.0, show_default=True)
@click.option("--page", "pages", multiple=True, help="One page alone, by its address.")
def crowd(sessions: int, seconds: float, pages: tuple[str, ...]) -> None:
    """Many sessions on each page."""
    with tempfile.TemporaryDirectory() as folder:
        places = {
            "VISAGE_RUNS": str(Path(folder, "runs")),
            "VISAGE_QUEUE": str(Path(folder, "queue")),
        }
        with served(ROOT / "app.py", places) as address:
            report_crowd(address, sessions, seconds, pages or CROWDED)


def report_training(address: str, viewers: int, turns: int, seconds: float, dataset: str) -> None:
    run = runs.create(TrainingConfig(dataset=dataset, steps=10_000_000))
    run.launch()
    while not run.metrics():
        time.sleep(0.5)
    try:
        process = server(address)
        crowd = [Viewer(address, run.name) for _ in range(viewers)]
        # The first look imports and compiles; it is not what watching costs.
        asyncio.run(crowd[0].open())
        alone, watched = [], []
        for _ in range(turns):
            alone.append(asyncio.run(measured(run, process, seconds, [])))
            watched.append(asyncio.run(measured(run, process, seconds, crowd)))
    finally:
        run.stop()
        while run.status().is_alive:
            time.sleep(0.2)
    for name, values, digits in (
        ("steps/s without viewers", [turn.steps for turn in alone], 0),
        (f"steps/s with {viewers} viewers", [turn.steps for turn in watched], 0),
        (
            "ratio",
            [one.steps / other.steps for one, other in zip(watched, alone, strict=True)],
            2,
        ),
        ("cores that the server uses", [turn.cores for turn in watched], 2),
        ("refreshes/s a viewer", [turn.refreshes / viewers for turn in watched], 2),
        ("kB/s a viewer", [turn.bytes / viewers / 1e3 for turn in watched], 0),
    ):
        each = " ".join(f"{value:.{digits}f}" for value in values)
        print(f"{name:<28} {statistics.median(values):8.{digits}f}   {each}")


def report_opening(address: str, size: float) -> None:
    process = server(address)
    before = process.memory_info().rss
    seconds = asyncio.run(Viewer(address, "long").open())
    grown = (process.memory_info().rss - before) / 1e6
    again = asyncio.run(Viewer(address, "long").open())
    print(f"opening {RECORDS:,} records ({size:.0f} MB): {seconds:.2f} s, {grown:.0f} MB more")
    print(f"opening it again: {again:.2f} s")


if __name__ == "__main__":
    main()
