"""From a recipe to a training: every objective's module offers `build(run, recipe)`, and this file runs what it gives."""

from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from typing import Any

from .data import Dataset
from .run import Run, Stage, StageChanged, listed
from .trainer import GROWS, Objective, Trainer, TrainSettings

NAMES = ("tokenizer", "speaker", "vocoder", "flow", "lm")


@dataclass
class Training:
    """What `build` gives: `dataset` with the objective's fields and all splits; `inputs`: the stages it reads."""

    objective: Objective
    dataset: Dataset
    settings: TrainSettings
    inputs: list[Stage] = field(default_factory=list)


def train(run: Run, recipe: dict[str, Any], name: str, minutes: float | None = None, restart: bool = False, overrides: dict[str, Any] | None = None) -> str:
    """Go on with a training of the run, or begin it: "done", "early" or "stopped" (call again to go on).

    A finished training is left alone unless its settings grew (more updates).
    """
    if name not in NAMES:
        raise ValueError(f"training {name}: must be one of {', '.join(NAMES)}")
    made: Training = import_module(f".{name}", __package__).build(run, recipe)
    settings = replace(made.settings, **(overrides or {}))
    state, manner = made.objective.state(), made.objective.manner()
    stage = Stage(run, name, {**state, **manner, **asdict(settings)}, made.inputs, (*GROWS, *manner), made.objective.later)
    if stage.done() and not restart:
        return "done"
    if stage.record and not restart:
        _check_manner(stage, manner, settings.updates)
    if stage.begin(restart) == "extend" and stage.inputs_changed:
        print(f"{name}: what it reads has changed since it began; it goes on with the new data", flush=True)
    return Trainer(stage, made.objective, made.dataset, settings).fit(minutes)


def _check_manner(stage: Stage, manner: dict[str, Any], updates: int) -> None:
    """Another manner holds from here on; a training with no update left would record what never happened."""
    changed = {key: pair for key, pair in stage.changes(stage.record["config"]).items() if key in manner}
    done = stage.record["counts"].get("updates", 0)
    if changed and done >= updates:
        raise StageChanged(
            f"{stage.folder} has had its {done} updates with other settings ({listed(changed)}); use them again, give it more updates, "
            "or --restart to discard it"
        )
    if changed:
        print(f"{stage.name}: from update {done} on, {listed(changed)}", flush=True)
