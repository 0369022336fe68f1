import pytest
from cosyvoice_torch.checkpoint import Model
from cosyvoice_torch.text import drop_blanks, normalize, only_marks, spell_digits
from cosyvoice_torch.vocabulary import _bytes_of, joins_han

from conftest import BUNDLES


@pytest.fixture(scope="module")
def tokenizer():
    return Model(BUNDLES / "a" / "model").tokenizer


@pytest.mark.parametrize(
    ("digits", "words"),
    [
        ("0", "zero"),
        ("007", "seven"),
        ("101", "one hundred and one"),
        ("1100", "one thousand, one hundred"),
        ("2024", "two thousand and twenty-four"),
        ("12345", "twelve thousand, three hundred and forty-five"),
        ("1000001", "one million and one"),
        ("x²", "xzero"),
        ("３", "three"),
    ],
)
def test_digits_are_spelled(digits: str, words: str):
    assert spell_digits(digits) == words


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("你好！！真的吗？？", ["你好！真的吗？"]),
        ("他说：“走吧。”然后就走了", ["他说：“走吧。”然后就走了。"]),
        ("我用 iPhone 15 Pro 和 Mac  mini，价格 A - B（很贵）、", ["我用iPhone 15 Pro和Macmini，价格A，B很贵。"]),
        ("面积是5m²——大约", ["面积是5m平方 大约。"]),
        ("……", []),
        ("   ", []),
        ("a <|x|> b 1", ["a <|x|> b 1"]),
    ],
)
def test_text_becomes_segments(tokenizer, text: str, segments: list[str]):
    assert normalize(tokenizer, text)[1] == segments


def test_a_model_may_speak_a_sentence_at_a_time(tokenizer):
    text = "One two. Three four five. Six."
    assert normalize(tokenizer, text)[1] == [text]
    assert normalize(tokenizer, text, 1)[1] == ["One two.", " Three four five.", " Six."]


def test_blanks_survive_between_ascii_words_only():
    assert drop_blanks("a b 中 c  d") == "a b中cd"


def test_marks():
    assert only_marks("!?。€") and only_marks("") and not only_marks(" 。")


def test_which_merges_glue_characters():
    table = _bytes_of()
    stand_in = {b: c for c, b in table.items()}
    merge = lambda a, b: " ".join("".join(stand_in[x] for x in part.encode()) for part in (a, b))
    assert joins_han(merge("你", "好"), table) and joins_han(merge(" ", "好"), table)
    assert not joins_han(merge("，", "请"), table) and not joins_han(merge("a", "b"), table)


def test_tags_are_single_ids_and_the_rest_is_bytes(tokenizer):
    ids = tokenizer.encode("a[laughter]<|endofprompt|>")
    assert len(ids) == 3 and ids[1] > ids[0] and ids[2] == ids[1] - 5
    assert tokenizer.encode("") == []
    assert tokenizer.encode("e\u0301") == tokenizer.encode("é")
