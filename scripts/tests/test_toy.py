import sys
from pathlib import Path

import pytest
import torch
from cosyvoice_torch.checkpoint import Model
from cosyvoice_torch.training.recipe import read_recipe
from cosyvoice_torch.training.toy import SENTENCES, _engine, toy
from cosyvoice_torch.verify import verify

TOY = Path(__file__).parents[1] / "recipes" / "toy.toml"


def test_everything_from_sentences_to_a_release_and_a_second_time_nothing(tmp_path: Path):
    recipe = read_recipe(TOY)
    recipe["corpus"]["teacher"] = "synthetic"
    for name in ("tokenizer", "speaker", "vocoder", "flow", "lm"):
        recipe[name]["train"] |= {"updates": 6, "validate_every": 3, "log_every": 2}
    with torch.enable_grad():
        steps = {step.name: step for step in toy(tmp_path, recipe, engine=[])}
        assert list(steps)[-1] == "report" and {"train speaker", "embed", "train flow", "train vocoder", "train lm", "export"} <= steps.keys()
        again = {step.name: step for step in toy(tmp_path, recipe, engine=[])}
    stages = ("corpus", "features", "tokenizer", "speaker", "encode", "embed", "spelling", "bpe", "lm", "flow", "vocoder")
    assert all('"status": "done"' in (tmp_path / name / "stage.json").read_text() for name in stages)
    assert all(again[name].seconds < 5 for name in steps if name.startswith(("train", "encode", "embed", "features")))
    model = Model(tmp_path / "release" / "model")
    assert model.config.lm.speech_codes == model.config.flow.codes == 81
    assert [row for row in verify(tmp_path / "release") if row.verdict == "fail"] == []
    assert "://" not in (tmp_path / "report.html").read_text()


def test_an_engine_that_fails_is_quoted():
    program = "import sys; print('said'); print('why', file=sys.stderr); sys.exit(3)"
    with pytest.raises(RuntimeError, match="exit 3\nwhy\nsaid"):
        _engine([sys.executable, "-c", program])
    assert _engine([sys.executable, "-c", "print('a'); print('b')"]) == "b"


def test_the_sentences_are_plain_and_different():
    lines = SENTENCES.split("\n")[1:-1]
    assert len(lines) == len(set(lines)) == 16
    assert all(line[0].isupper() and line[-1] in ".?" and line.isascii() for line in lines)
