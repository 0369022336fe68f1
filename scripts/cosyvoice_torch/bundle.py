"""Reference bundles: `model/`, `reference.safetensors` with tensors named stage/case/tensor, `text.json`."""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

FORMAT = "cosyvoice-parity-1"
Cases = dict[str, dict[str, dict[str, Tensor]]]
"""stage -> case -> tensor name -> tensor"""


def read_bundle(folder: Path) -> tuple[Cases, list[dict]]:
    cases: Cases = {}
    tensors = folder / "reference.safetensors"
    if tensors.exists():
        with safe_open(tensors, framework="pt") as f:
            if (f.metadata() or {}).get("format") != FORMAT:
                raise ValueError(f"{tensors}: not a reference bundle: the metadata lacks format={FORMAT}")
            for name in f.keys():
                stage, case, tensor = name.split("/")
                cases.setdefault(stage, {}).setdefault(case, {})[tensor] = f.get_tensor(name)
    text = folder / "text.json"
    return cases, json.loads(text.read_text(encoding="utf-8")) if text.exists() else []


def write_bundle(folder: Path, cases: Cases, text: list[dict], made_with: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    flat = {}
    for stage, stage_cases in cases.items():
        for case, tensors in stage_cases.items():
            for name, value in tensors.items():
                dtype = torch.float32 if value.is_floating_point() else torch.int32
                flat[f"{stage}/{case}/{name}"] = value.to(dtype).contiguous().clone()
    path = folder / "reference.safetensors"
    save_file(flat, path, {"format": FORMAT, "made_with": made_with})
    path.chmod(0o644)
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in text)
    (folder / "text.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
