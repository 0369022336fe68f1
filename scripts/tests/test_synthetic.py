import pytest
import torch
from cosyvoice_torch import synthetic
from cosyvoice_torch.synthetic import fill_hash, fill_random, fnv1a, hash_values


def test_values_follow_from_the_name():
    assert fnv1a("a") == 3826002220
    assert hash_values("a", 0, 3).tolist() == pytest.approx([-0.79294757, -0.81187997, -0.29257013], abs=1e-8)
    out = torch.empty(80, 512)
    fill_hash("encoder_proj.weight", out)
    assert out[0, :3].tolist() == pytest.approx([-0.02019095, -0.03889582, 0.06193020], abs=1e-8)


def test_the_rows_of_the_text_embedding():
    out = torch.empty(2, 896)
    fill_hash("llm.model.model.embed_tokens.weight", out)
    assert out[0, :3].tolist() == pytest.approx([0.0345732, -0.000102192, 0.0527755], abs=1e-7)


def test_a_tensor_made_in_pieces_is_the_same(monkeypatch: pytest.MonkeyPatch):
    whole, pieces = torch.empty(31, 7), torch.empty(31, 7)
    fill_hash("x.weight", whole)
    monkeypatch.setattr(synthetic, "BLOCK", 10)
    fill_hash("x.weight", pieces)
    assert whole.equal(pieces)


def test_each_kind_of_tensor_has_its_range():
    ranges = {"n.weight": (0.9, 1.1), "n.bias": (-0.1, 0.1), "a.alpha": (0.5, 1.5), "c.weight_g": (0.9, 1.1)}
    for name, (low, high) in ranges.items():
        out = torch.empty(1000)
        fill_hash(name, out)
        assert low <= float(out.min()) < float(out.max()) <= high


def test_random_fill_depends_on_seed_and_name_alone():
    make = lambda seed, name: (out := torch.empty(64), fill_random(seed)(name, out))[0]
    assert make(1, "x").equal(make(1, "x"))
    assert not make(1, "x").equal(make(2, "x"))
    assert not make(1, "x").equal(make(1, "y"))


def test_a_random_variance_is_positive():
    out = torch.empty(20_000)
    fill_random(0)("n.running_var", out)
    assert float(out.min()) > 0
