"""What a training says of itself: JSONL lines {t, update, epoch, split, key, value}, and progress on the terminal."""

import json
import sys
import time
from collections import defaultdict
from pathlib import Path

from torch import Tensor
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from .run import write_atomically


class Metrics:
    """Appends to `metrics.jsonl`. Train numbers are means since the last `flush`."""

    def __init__(self, path: Path):
        self.path = path
        self._sums: dict[str, list] = defaultdict(lambda: [0.0, 0.0])

    def rewind(self, update: int) -> None:
        """Drop the lines after `update`: they are about to be made again."""
        if self.path.exists():
            lines = self.path.read_text().splitlines(keepends=True)
            kept = [line for line in lines if line.endswith("\n") and json.loads(line)["update"] <= update]
            write_atomically(self.path, "".join(kept))

    def add(self, values: dict[str, Tensor | float], weight: float = 1.0) -> None:
        """Numbers on a device stay there until they are written."""
        for key, value in values.items():
            self._sums[key][0] += value * weight
            self._sums[key][1] += weight

    def flush(self, update: int, epoch: float, split: str) -> dict[str, float]:
        """Write the means and forget them."""
        means = {key: float(total) / count for key, (total, count) in self._sums.items() if count}
        self._sums.clear()
        self.write(update, epoch, split, means)
        return means

    def pending(self) -> dict[str, list[float]]:
        """Sums that no flush has written yet, for the checkpoint."""
        return {key: [float(total), count] for key, (total, count) in self._sums.items()}

    def restore(self, pending: dict[str, list[float]]) -> None:
        self._sums.clear()
        for key, value in pending.items():
            self._sums[key] = list(value)

    def write(self, update: int, epoch: float, split: str, values: dict[str, float]) -> None:
        now = round(time.time(), 2)
        with self.path.open("a") as f:
            for key, value in values.items():
                line = {"t": now, "update": update, "epoch": round(epoch, 4), "split": split, "key": key, "value": value}
                f.write(json.dumps(line) + "\n")


def read_metrics(path: Path) -> list[dict]:
    with path.open() as f:
        return [json.loads(line) for line in f]


class Report:
    """A bar with the remaining time on a terminal, plain lines elsewhere."""

    def __init__(self, name: str, total: float, done: float = 0):
        self.name, self.total = name, total
        self.console = Console(file=sys.stdout)
        self.bar: Progress | None = None
        self.started, self.first = time.monotonic(), done
        if self.console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeRemainingColumn())
            self.bar = Progress(*columns, console=self.console)
            self.task = self.bar.add_task(name, total=total, completed=done)

    def __enter__(self) -> "Report":
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()

    def at(self, done: float) -> None:
        if self.bar:
            self.bar.update(self.task, completed=done)

    def line(self, done: float, values: dict[str, float], label: str = "train") -> None:
        rate = (done - self.first) / max(time.monotonic() - self.started, 1e-9)
        left = max(0.0, self.total - done) / rate if rate > 0 else float("inf")
        eta = f"{left / 60:.0f} min left" if left != float("inf") else ""
        numbers = " ".join(f"{key} {value:.4g}" for key, value in values.items())
        parts = (time.strftime("%H:%M:%S"), self.name, f"{done}/{self.total}", label, numbers, eta)
        text = " ".join(part for part in parts if part)
        if self.bar:
            self.bar.console.print(text, highlight=False)
        else:
            print(text, flush=True)
