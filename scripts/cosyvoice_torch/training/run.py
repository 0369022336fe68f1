"""A run is a folder; every stage of it is a folder with a `stage.json`: unchanged is skipped, partial is resumed."""

import hashlib
import json
import os
import shutil
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

TOOL = "cosyvoice_torch.training 1"


class StageChanged(Exception):
    """A stage on disk was made with other settings than the ones asked for now."""


def write_atomically(path: Path, data: bytes | str) -> None:
    """Whole or not at all: written beside the target, then renamed over it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data.encode() if isinstance(data, str) else data)
    os.replace(temporary, path)


def fingerprint(value: Any) -> str:
    """16 hex digits of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def listed(changes: dict[str, tuple[Any, Any]]) -> str:
    return ", ".join(f"{key}: {old!r} -> {new!r}" for key, (old, new) in changes.items())


class Run:
    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def path(self, *parts: str) -> Path:
        return self.folder.joinpath(*parts)


class Stage:
    """One folder of a run.

    `config`: a dict or dataclass of plain values, which decides what the stage makes.
    `inputs`: stages it reads; they must be done.
    `grows`: keys of the config that may change without starting again (hours of a corpus, updates of a training). A record that
    lacks one of them is of a time before there was this key, and says nothing about it.
    `later`: keys that must not change, but that older records lack as well.
    """

    def __init__(
        self, run: Run, name: str, config: Any, inputs: list["Stage"] | None = None, grows: tuple[str, ...] = (), later: tuple[str, ...] = ()
    ):
        self.run, self.name, self.grows, self.later = run, name, grows, later
        self.folder = run.path(name)
        self.config = json.loads(json.dumps(asdict(config) if is_dataclass(config) else dict(config)))
        self.inputs = {stage.name: stage.identity() for stage in inputs or []}
        self.record: dict[str, Any] = {}
        self.read()

    @classmethod
    def existing(cls, run: Run, name: str) -> "Stage":
        """A finished stage as the input of another one; its config is what its record says."""
        path = run.path(name, "stage.json")
        if not path.exists():
            raise FileNotFoundError(f"{path.parent}: no such stage yet; make it first (see --help for the order)")
        record = json.loads(path.read_text())
        stage = cls(run, name, record["config"], grows=tuple(record["grows"]))
        stage.inputs = record["inputs"]
        return stage

    def settings(self, kind: type) -> Any:
        """The part of the config that a dataclass names."""
        return kind(**{field.name: self.config[field.name] for field in fields(kind)})

    def read(self) -> None:
        path = self.folder / "stage.json"
        self.record = json.loads(path.read_text()) if path.exists() else {}

    @property
    def status(self) -> str:
        return self.record.get("status", "absent")

    def identity(self) -> str:
        """Changes whenever what the stage has made changes."""
        return fingerprint({"config": self.record.get("config"), "counts": self.record.get("counts"), "inputs": self.record.get("inputs")})

    def _fixed(self, config: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in config.items() if key not in self.grows + self.later}

    @property
    def inputs_changed(self) -> bool:
        return bool(self.record) and self.record["inputs"] != self.inputs

    def done(self) -> bool:
        return self.status == "done" and not self.changes(self.record["config"]) and not self.inputs_changed

    def changes(self, old: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
        """Key -> (old, new value), where `old` says something else than the config."""
        new = self.config
        names = [key for key in old.keys() | new.keys() if key in old or key not in self.grows + self.later]
        return {key: (old.get(key), new.get(key)) for key in sorted(names) if old.get(key) != new.get(key)}

    def begin(self, restart: bool = False) -> str:
        """"new", "resume" (same settings) or "extend" (a growing setting or an input changed).

        Raises StageChanged, with the differences, if other settings changed and not `restart`; `restart` empties the folder.
        """
        if restart and self.folder.exists():
            shutil.rmtree(self.folder)
            self.record = {}
        state = "new"
        if self.record:
            changed = self.changes(self.record["config"])
            free = {*self.grows, *self.record.get("grows", [])}  # what was free to change may also be there no longer
            fixed = {key: pair for key, pair in changed.items() if key not in free}
            if fixed:
                raise StageChanged(f"{self.folder} was made with other settings ({listed(fixed)}); use them again, or --restart to discard it")
            state = "extend" if changed or self.inputs_changed else "resume"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write("partial", self.record.get("counts", {}))
        return state

    def progress(self, counts: dict[str, Any]) -> None:
        self._write("partial", counts)

    def finish(self, counts: dict[str, Any]) -> None:
        self._write("done", counts)

    def _write(self, status: str, counts: dict[str, Any]) -> None:
        self.record = {
            "stage": self.name,
            "status": status,
            "config_hash": fingerprint(self._fixed(self.config)),
            "config": self.config,
            "grows": list(self.grows),
            "inputs": self.inputs,
            "counts": counts,
            "tool": TOOL,
        }
        write_atomically(self.folder / "stage.json", json.dumps(self.record, indent=1, ensure_ascii=False) + "\n")
