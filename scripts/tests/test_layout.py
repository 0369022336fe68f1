"""The golden layouts: t, s, and the marks as letters; what is asked after each; `.` where nothing is."""

import pytest
import torch
from cosyvoice_torch.training.layout import IGNORE, MARK, PAD, SPEECH, TEXT, Layout, bistream, continued, pad, qualifies, unistream

CODES, FILL = 100, 102


def read(layout: Layout) -> tuple[str, str]:
    """`sos t0 t1 task s0 s1` and `. . . s0 s1 eos`"""
    names = {MARK: ("sos", "task"), PAD: ("-",)}
    write = lambda kind, row: names[kind][row] if kind in names else f"{'t' if kind == TEXT else 's'}{row}"
    asked = {IGNORE: ".", CODES: "eos", FILL: "fill"}
    inputs = " ".join(write(k, r) for k, r in zip(layout.kinds.tolist(), layout.ids.tolist()))
    return inputs, " ".join(asked.get(t, f"s{t}") for t in layout.targets.tolist())


def run(letter: str, start: int, end: int) -> str:
    return " ".join(f"{letter}{i}" for i in range(start, end))


def words(*parts: str) -> str:
    return " ".join(p for p in parts if p)


def test_unistream():
    inputs, asked = read(unistream(list(range(7)), list(range(24)), CODES))
    assert inputs == words("sos", run("t", 0, 7), "task", run("s", 0, 24))
    assert asked == words(". " * 8 + run("s", 0, 24), "eos")


def test_bistream_of_seven_text_ids():
    inputs, asked = read(bistream(list(range(7)), list(range(24)), CODES))
    assert inputs == words("sos", run("t", 0, 5), run("s", 0, 15), "t5 t6 task", run("s", 15, 24))
    assert asked == words(". . . . .", run("s", 0, 15), "fill", ". .", run("s", 15, 24), "eos")


@pytest.mark.parametrize("left", range(5))
def test_bistream_for_every_rest_of_five(left: int):
    text, speech = 10 + left, 3 * (10 + left) + 1
    inputs, asked = read(bistream(list(range(text)), list(range(speech)), CODES))
    first, second = words(run("t", 0, 5), run("s", 0, 15)), words(run("t", 5, 10), run("s", 15, 30))
    assert inputs == words("sos", first, second, run("t", 10, text), "task", run("s", 30, speech))
    dots = ". . . ."
    blocks = words(dots, run("s", 0, 15), "fill", dots, run("s", 15, 30), "fill")
    assert asked == words(".", blocks, " ".join("." * left), run("s", 30, speech), "eos")
    assert len(inputs.split()) == len(asked.split()) == 2 + text + speech


def test_less_than_a_block_of_text_is_unistream():
    a, b = (make([4, 5, 6], list(range(12)), CODES) for make in (unistream, bistream))
    assert read(a) == read(b)


def test_three_speech_ids_for_one_of_text_are_too_few():
    assert not qualifies(10, 30)
    assert qualifies(10, 31)
    with pytest.raises(ValueError, match="30 speech ids for 10 text ids; more than 3"):
        bistream(list(range(10)), list(range(30)), CODES)


@pytest.mark.parametrize("make", [unistream, bistream])
@pytest.mark.parametrize("text", [1, 5, 6, 14, 15])
def test_every_speech_id_is_read_once_and_asked_for_once(make, text: int):
    speech = torch.randint(0, CODES, (4 * text,)).tolist()
    layout = make(list(range(text)), speech, CODES)
    assert layout.ids[layout.kinds == SPEECH].tolist() == speech
    assert layout.ids[layout.kinds == TEXT].tolist() == list(range(text))
    codes = layout.targets[(layout.targets != IGNORE) & (layout.targets < CODES)]
    assert codes.tolist() == speech
    assert layout.targets.tolist().count(CODES) == 1
    assert layout.targets.tolist().count(FILL) == (text // 5 if make is bistream else 0)


def test_nothing_is_asked_of_the_utterance_before():
    whole = unistream(list(range(4)), list(range(10)), CODES)
    inputs, asked = read(continued(whole, 6, CODES))
    assert inputs == read(whole)[0]
    assert asked == words(". " * (1 + 4 + 6) + run("s", 6, 10), "eos")
    assert read(continued(whole, 0, CODES)) == read(whole)
    assert read(continued(whole, 10, CODES))[1] == words(". " * 15 + "eos")


def test_what_fills_between_its_codes_is_not_asked_either():
    whole = bistream(list(range(12)), list(range(40)), CODES)
    blank = lambda count: " ".join("." * count)
    ending = words(". .", run("s", 30, 40), "eos")
    second = words(run("s", 15, 30), "fill")
    assert read(continued(whole, 20, CODES))[1] == words(blank(1 + 4 + 15 + 1 + 4 + 5), run("s", 20, 30), "fill", ending)
    # A fill that follows its last code tells that more text must come: that is asked.
    assert read(continued(whole, 15, CODES))[1] == words(blank(1 + 4 + 15), "fill", blank(4), second, ending)
    assert read(continued(whole, 16, CODES))[1] == words(blank(1 + 4 + 15 + 1 + 4 + 1), run("s", 16, 30), "fill", ending)
    assert read(continued(whole, 40, CODES))[1] == words(blank(1 + 20 + 20 + 2 + 10), "eos")


def test_padding_asks_nothing():
    batch = pad([unistream([1], [2, 3], CODES), unistream([1, 2, 3], [4, 5, 6, 7], CODES)])
    assert batch.ids.shape == (2, 9)
    assert read(Layout(*(v[0] for v in vars(batch).values()))) == ("sos t1 task s2 s3 - - - -", ". . s2 s3 eos . . . .")
