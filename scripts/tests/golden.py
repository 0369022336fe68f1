"""How golden numbers are written down: eight values at fixed places, the mean and the root mean square."""

import torch
from torch import Tensor


def check(out: Tensor, values: str, mean: float, rms: float, tolerance: float = 1e-4) -> None:
    """`tolerance` is a share of rms; `values` lie at flat indices floor((k + 1/2) N / 8)."""
    flat = out.flatten().double()
    places = [(2 * k + 1) * flat.numel() // 16 for k in range(8)]
    expected = torch.tensor([float(v) for v in values.split()], dtype=torch.float64)
    bound = tolerance * rms + 1e-6  # the numbers are printed to six digits
    worst = float((flat[places] - expected).abs().max())
    assert worst <= bound, f"off by {worst:.2e}, allowed {bound:.2e}"
    assert abs(float(flat.mean()) - mean) <= bound
    assert abs(float(flat.pow(2).mean().sqrt()) - rms) <= bound
