import pytest
import torch
from cosyvoice_torch import lm as language
from cosyvoice_torch.checkpoint import Model
from cosyvoice_torch.config import LmConfig

from conftest import BUNDLES


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(BUNDLES / "a" / "model")


def test_the_backbone_is_qwen2(model: Model):
    """Against the implementation in transformers, with the same weights."""
    from transformers import Qwen2Config
    from transformers.models.qwen2 import Qwen2Model

    c = model.config.lm
    config = Qwen2Config(
        hidden_size=c.width,
        intermediate_size=c.ffn,
        num_hidden_layers=c.layers,
        num_attention_heads=c.heads,
        num_key_value_heads=c.kv_heads,
        vocab_size=c.text_rows,
        rms_norm_eps=c.norm_eps,
        rope_theta=c.rope_theta,
    )
    qwen = Qwen2Model(config).eval()
    qwen.load_state_dict(model.lm.backbone.state_dict())
    x = torch.randn(21, c.width, generator=torch.Generator().manual_seed(5))
    expected = qwen(inputs_embeds=x[None]).last_hidden_state[0, -1]
    assert torch.allclose(model.lm.session().feed(x), expected, atol=1e-4)


def test_one_by_one_equals_all_at_once(model: Model):
    x = torch.randn(9, model.config.lm.width, generator=torch.Generator().manual_seed(6))
    steps = model.lm.session()
    for row in x:
        last = steps.feed(row[None])
    assert torch.allclose(last, model.lm.session().feed(x), atol=1e-4)


def test_candidates_keep_the_id_that_crosses_and_order_equal_ones_by_id():
    p = torch.tensor([0.1, 0.3, 0.1, 0.45, 0.05])
    ids, probs = language.nucleus(p.log(), 0.8, 25)
    assert ids.tolist() == [3, 1, 0]
    assert probs.tolist() == pytest.approx([0.45, 0.3, 0.1])
    assert language.nucleus(torch.zeros(100).log_softmax(-1), 0.8, 25)[0].tolist() == list(range(25))


def bistream(model: Model, prompt_text: int, text: int, speech: int) -> list[int]:
    """Ids of a run whose model always answers 7 and stops three steps after the text."""
    c: LmConfig = model.config.lm
    after = 0

    def choose(_: torch.Tensor, ending: bool) -> int:
        nonlocal after
        after += ending
        return c.speech_codes if after > 3 else 7

    ids = lambda n: torch.arange(n) % 50
    return [chosen for _, chosen in language.feeds(model.lm, ids(prompt_text), ids(text), ids(speech), choose)]


def test_streamed_text_fills_after_every_fifteen_codes(model: Model):
    fill = model.config.lm.speech_codes + 2
    out = bistream(model, 0, 12, 0)
    assert [i for i, token in enumerate(out) if token == fill] == [15, 31]
    assert len(out) == 32 + 4


def test_the_first_fill_completes_the_block_of_the_prompt(model: Model):
    fill = model.config.lm.speech_codes + 2
    assert bistream(model, 30, 17, 87).index(fill) == 3
