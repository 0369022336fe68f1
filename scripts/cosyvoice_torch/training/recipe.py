"""All settings of a run, read from one TOML file: a table per stage, every key optional."""

import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from .trainer import TrainSettings


def build(kind: type, values: dict[str, Any], where: str) -> Any:
    """A dataclass from a table; a key it does not have is an error that names the ones it has."""
    known = {f.name: f for f in fields(kind)}
    unknown = set(values) - set(known)
    if unknown:
        raise ValueError(f"{where}: unknown key {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    made = {}
    for name, value in values.items():
        inner = known[name].type
        if isinstance(inner, type) and is_dataclass(inner):
            value = build(inner, value, f"{where}.{name}")
        elif isinstance(value, list):
            value = tuple(value)
        made[name] = value
    return kind(**made)


def read_recipe(path: Path) -> dict[str, Any]:
    with path.open("rb") as f:
        return tomllib.load(f)


def table(recipe: dict[str, Any], name: str, kind: type) -> Any:
    """The settings of one stage: `[name]` of the recipe as a dataclass with its defaults."""
    return build(kind, recipe.get(name, {}), name)


def training(recipe: dict[str, Any], name: str, sizes: type) -> tuple[Any, TrainSettings]:
    """`[name]` as the sizes of a model and `[name.train]` as the settings of its training."""
    values = dict(recipe.get(name, {}))
    settings = build(TrainSettings, values.pop("train", {}), f"{name}.train")
    return build(sizes, values, name), settings
