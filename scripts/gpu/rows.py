"""Runs one check after the other, and records the result of each."""

import json
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from scripts.gpu.evidence import Evidence
from scripts.gpu.host import versions
from scripts.gpu.kit import Kit
from scripts.gpu.outcome import Fails, OutOfTime, Skipped
from scripts.gpu.preflight import Unusable

HOLDS, FAILS, SKIPPED, NOT_RUN = "holds", "fails", "skipped", "not run"
Checks = dict[str, Callable[[Kit], str]]


@dataclass(frozen=True)
class Row:
    """The outcome of one check. `traceback`: of an error in the kit itself."""

    check: str
    result: str
    figure: str
    seconds: float
    traceback: str = ""

    def __str__(self) -> str:
        return f"{self.check:<18}  {self.result:<7}  {self.seconds:>6.1f} s  {self.figure}"


class Run:
    """Runs the checks; `results.json` is complete after each of them.

    Args:
        checks: by name. One that raises Unusable skips all following ones.
    """

    def __init__(self, kit: Kit, checks: Checks) -> None:
        self.kit, self.checks = kit, checks
        self.evidence = Evidence(kit.folder)
        self.rows: list[Row] = []
        self.unusable = ""
        self._versions, self._began = versions(), time.monotonic()

    def all(self) -> int:
        """Run them, print the table; returns the exit status."""
        try:
            for name in self.checks:
                row = self.check(name)
                self.rows.append(row)
                print(row, flush=True)
                if row.result in {FAILS, NOT_RUN} and row.seconds:
                    self.evidence.collect(self.results(), name)
                    self.kit.servers.abandon()
                self._write()
        finally:
            self.kit.servers.stop()
        return self._conclude()

    def check(self, name: str) -> Row:
        """Run one check; any exception in it becomes its result."""
        if self.unusable:
            return Row(name, NOT_RUN, self.unusable, 0.0)
        if self.kit.remaining_s() <= 0:
            return Row(name, NOT_RUN, f'the time of the run was over: --only "{name}" runs it alone', 0.0)
        began, trace = time.monotonic(), ""
        try:
            with ending_at(self.kit.deadline):
                result, figure = HOLDS, self.checks[name](self.kit)
        except Skipped as reason:
            result, figure = SKIPPED, str(reason)
        except OutOfTime:
            result, figure = NOT_RUN, f'the time of the run ended in the middle of it: --only "{name}" runs it alone'
            trace = traceback.format_exc()
        except Unusable as reason:
            result, figure = FAILS, str(reason)
            self.unusable = f"{name} does not hold"
        except Fails as reason:
            result, figure, trace = FAILS, str(reason), traceback.format_exc()
        except Exception as error:
            figure = f"{type(error).__name__}: {error}"[:400] + self.kit.servers.ending()
            result, trace = FAILS, traceback.format_exc()
        return Row(name, result, figure, round(time.monotonic() - began, 1) or 0.1, trace)

    def results(self) -> dict[str, object]:
        return {
            "device": self.kit.device,
            "seconds": round(time.monotonic() - self._began, 1),
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "bytes": size_of(self.kit.folder),
            "versions": self._versions,
            "checks": [asdict(row) for row in self.rows],
        }

    def _write(self) -> None:
        draft = self.kit.folder / ".results.json"
        draft.write_text(json.dumps(self.results(), indent=1))
        draft.replace(self.kit.folder / "results.json")

    def _conclude(self) -> int:
        self._write()
        self.evidence.finish(self.results())
        counts = {result: sum(row.result == result for row in self.rows) for result in (HOLDS, FAILS, SKIPPED, NOT_RUN)}
        print(", ".join(f"{n} {result}" for result, n in counts.items()), f"in {self.results()['seconds']} s")
        print(f"Written to {self.kit.folder / 'results.json'}")
        if self.evidence.target.exists():
            print(f"What is needed to mend it: {self.evidence.target}")
        return 1 if counts[FAILS] or counts[NOT_RUN] else 0


@contextmanager
def ending_at(deadline: float) -> Iterator[None]:
    """End the block at the deadline, whatever it is waiting for.

    Raises:
        OutOfTime: at the deadline.
    """

    def over(*_: object) -> None:
        raise OutOfTime

    if deadline == float("inf"):
        yield
        return
    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, max(0.001, deadline - time.monotonic()))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder; ignores files deleted meanwhile."""
    size = 0
    for path in folder.rglob("*"):
        try:
            size += 0 if path.is_symlink() else path.stat().st_blocks * 512
        except OSError:
            continue
    return size
