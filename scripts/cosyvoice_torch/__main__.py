"""Commands: `python -m cosyvoice_torch --help`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console(width=120)


@app.callback()
def main() -> None:
    """CosyVoice2 in PyTorch: check, record, invent."""


@app.command()
def verify(
    bundle: Annotated[Path, typer.Argument(help="folder with reference.safetensors and text.json")],
    model: Annotated[Path | None, typer.Option(help="checkpoint folder; by default the bundle's own model/")] = None,
    stages: Annotated[str, typer.Option(help="comma-separated; default: all")] = "",
    half: Annotated[bool, typer.Option(help="round matrices to f16 first, to see what that costs")] = False,
) -> None:
    """Compute every tensor of a bundle again and print how far it is from the recorded one."""
    from .verify import verify as run

    table = Table("stage", "case", "tensor", "rel", "max abs", "verdict")
    count = {"pass": 0, "fail": 0, "skip": 0}
    for row in run(bundle, model, set(stages.split(",")) if stages else None, half):
        count[row.verdict] += 1
        if row.stage in ("tokenizer", "normalize") and row.verdict == "pass":
            continue
        numbers = ("" if v is None else f"{v:.2e}" for v in (row.rel, row.max_abs))
        table.add_row(row.stage, row.case, row.tensor, *numbers, f"{row.verdict} {row.reason}".strip())
    console.print(table)
    console.print(f"{count['pass']} passed, {count['fail']} failed, {count['skip']} skipped")
    raise typer.Exit(1 if count["fail"] else 0)


if __name__ == "__main__":
    app()
