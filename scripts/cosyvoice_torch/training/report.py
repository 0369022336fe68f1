"""
One HTML file about a run: what each stage made, the curves of each training, tables of figures, recordings with their pictures.
It opens without a network: pictures are inline, recordings are data URIs, and no address occurs in it.

Read are `*/stage.json`, `*/metrics.jsonl`, `figures.json` (a list of {"title", "columns", "rows"}) and `samples/**/*.wav`
with the text in a `.txt` beside it; whatever of these is missing is left out.
"""

import base64
import html
import io
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import soundfile

from .metrics import read_metrics
from .run import write_atomically

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1080px; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
h1, h2, h3 { line-height: 1.2 } h2 { border-top: 1px solid #ddd; padding-top: 1.2rem; margin-top: 2.2rem }
table { border-collapse: collapse; margin: .6rem 0 } td, th { padding: .2rem .7rem; border: 1px solid #ddd; text-align: left }
td.number { text-align: right; font-variant-numeric: tabular-nums }
figure { margin: .8rem 0 } figcaption { color: #555 } svg, img { max-width: 100%; height: auto } audio { display: block; width: 100% }
code { overflow-wrap: anywhere }
"""
QUIET = ("lr", "updates_per_second", "grad_norm")
"""Numbers about the loop rather than the model: they come last."""
MOST_POINTS = 800
"""Of one curve; longer ones are averaged in groups."""

Curve = dict[str, list[tuple[float, float]]]
"""split -> (update, value)"""


def curves_of(lines: list[dict[str, Any]]) -> dict[str, Curve]:
    """Metrics by key, those of the model first."""
    found: dict[str, Curve] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        if np.isfinite(line["value"]):
            found[line["key"]][line["split"]].append((line["update"], line["value"]))
    quiet = lambda key: key.startswith(QUIET)
    return {key: found[key] for key in sorted(found, key=lambda key: (quiet(key), key != "loss", not key.endswith("loss"), key))}


def thinned(points: list[tuple[float, float]]) -> np.ndarray:
    """[n, 2], n at most MOST_POINTS: means over groups of neighbours."""
    values = np.asarray(points, dtype=float)
    size = -(-len(values) // MOST_POINTS)
    return np.stack([group.mean(0) for group in np.array_split(values, -(-len(values) // size))])


def svg_of(figure: Any) -> str:
    """The picture as an element to put into a page: no header, no metadata, no namespace addresses."""
    out = io.StringIO()
    figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    plt.close(figure)
    text = out.getvalue()
    return re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text[text.index("<svg") :])


def draw_curves(curves: dict[str, Curve], salt: str) -> str:
    """Small plots, three in a row; training thin, validation with dots. `salt` keeps the ids of several pictures apart."""
    columns = 3
    rows = -(-len(curves) // columns)
    with plt.rc_context({"svg.hashsalt": salt, "font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        figure, axes = plt.subplots(rows, columns, figsize=(11, 2.4 * rows), squeeze=False, layout="constrained")
        for axis, (key, curve) in zip(axes.flat, curves.items()):
            for split, style in (("train", {"lw": 0.8, "color": "#8ab"}), ("valid", {"lw": 1.2, "marker": ".", "color": "#b33"})):
                if split in curve:
                    axis.plot(*thinned(curve[split]).T, label=split, **style)
            axis.set_title(key)
            axis.legend(frameon=False)
        for axis in list(axes.flat)[len(curves) :]:
            axis.axis("off")
        return svg_of(figure)


def spectrogram(samples: np.ndarray, rate: int) -> bytes:
    """PNG: time to the right, 0 Hz to half the rate upwards, 80 dB from black to white."""
    with plt.rc_context({"font.size": 8}):
        figure, axis = plt.subplots(figsize=(9, 2.4), layout="constrained")
        quiet = np.concatenate([samples, np.zeros(max(0, 1024 - len(samples)))]) + 1e-7
        _, _, _, picture = axis.specgram(quiet, NFFT=1024, noverlap=768, Fs=rate, cmap="magma")
        picture.set_clim(picture.get_array().max() - 80, picture.get_array().max())
        axis.set(xlabel="s", ylabel="Hz")
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=90)
        plt.close(figure)
        return out.getvalue()


def data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def table(columns: list[str], rows: list[list[Any]]) -> str:
    cell = lambda value: f'<td class="number">{_number(value)}</td>' if _is_number(value) else f"<td>{_text(value)}</td>"
    head = "".join(f"<th>{_text(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(cell(value) for value in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.5g}"


def _text(value: Any) -> str:
    """Escaped; an address loses the part that would make it one."""
    return html.escape(re.sub(r"\w+://", "", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))


def _flat(values: dict[str, Any], prefix: str = "") -> list[list[Any]]:
    rows: list[list[Any]] = []
    for key, value in values.items():
        rows += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [[prefix + key, value]]
    return rows


def stage_section(folder: Path) -> str:
    name = folder.name
    parts = [f"<h2>{_text(name)}</h2>"]
    record = folder / "stage.json"
    if record.exists():
        stage = json.loads(record.read_text(encoding="utf-8"))
        parts.append(f"<p>{_text(stage['status'])}, settings {_text(stage['config_hash'])}</p>")
        parts.append(table(["count", ""], _flat(stage["counts"])))
        parts.append(f"<details><summary>settings</summary>{table(['setting', ''], _flat(stage['config']))}</details>")
    metrics = folder / "metrics.jsonl"
    curves = curves_of(read_metrics(metrics)) if metrics.exists() else {}
    if curves:
        ends = [[key, split, *points[-1]] for key, curve in curves.items() for split, points in curve.items()]
        parts.append(f"<figure>{draw_curves(curves, name)}</figure>")
        parts.append(f"<details><summary>where the curves end</summary>{table(['key', 'split', 'update', 'value'], ends)}</details>")
    return "\n".join(parts)


def sample_section(path: Path, root: Path) -> str:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(1)
    text = path.with_suffix(".txt")
    caption = text.read_text(encoding="utf-8").strip() if text.exists() else ""
    out = io.BytesIO()
    soundfile.write(out, mono, rate, format="WAV", subtype="PCM_16")
    name = _text(path.relative_to(root).with_suffix("").as_posix())
    picture = data_uri("image/png", spectrogram(mono, rate))
    return (
        f"<figure><h3>{name}</h3><figcaption>{_text(caption)} ({len(mono) / rate:.2f} s, {rate} Hz)</figcaption>"
        f'<audio controls preload="none" src="{data_uri("audio/wav", out.getvalue())}"></audio>'
        f'<img alt="spectrogram of {name}" src="{picture}"></figure>'
    )


def write_report(folder: Path, out: Path, title: str = "") -> Path:
    """@raises FileNotFoundError where there is nothing to report on"""
    stages = sorted({path.parent for name in ("stage.json", "metrics.jsonl") for path in folder.glob(f"*/{name}")})
    figures, samples = folder / "figures.json", sorted((folder / "samples").rglob("*.wav"))
    if not stages and not figures.exists() and not samples:
        raise FileNotFoundError(f"{folder}: neither */stage.json nor */metrics.jsonl, figures.json or samples/ in it")
    heading = _text(title or folder.resolve().name)
    parts = [f"<h1>{heading}</h1>"]
    if figures.exists():
        tables = json.loads(figures.read_text(encoding="utf-8"))
        if not isinstance(tables, list):
            raise ValueError(f"{figures}: must be a list of {{title, columns, rows}}, not of the type {type(tables).__name__}; `hearing` writes it anew")
        for figure in tables:
            parts.append(f"<h2>{_text(figure['title'])}</h2>{table(figure['columns'], figure['rows'])}")
    if samples:
        parts += ["<h2>Recordings</h2>", *(sample_section(path, folder / "samples") for path in samples)]
    parts += [stage_section(stage) for stage in stages]
    body = "\n".join(parts)
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{heading}</title><style>{STYLE}</style>'
    write_atomically(out, f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n')
    return out
