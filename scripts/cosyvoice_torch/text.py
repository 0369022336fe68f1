"""Tokenizer, splitter and digit spelling: the official front end with no text-normalisation engine."""

import json
import re
import unicodedata
from functools import cache
from pathlib import Path

from tokenizers import AddedToken, Regex, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as BpeTokenizer

LOAD_TIME_TOKENS = (
    "<|endofprompt|> [breath] <strong> </strong> [noise] [laughter] [cough] [clucking] [accent] [quick_breath] "
    "<laughter> </laughter> [hissing] [sigh] [vocalized-noise] [lipsmack] [mn]"
).split()
"""Added when the model is loaded, after the highest id of `added_tokens_decoder`."""

WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Pre-tokenisation of Qwen2."""

SEGMENT_LENGTH = 80
"""Upstream's; a segment ends when it has 3/4 of it and the next sentence would pass it, and a rest below 1/4 is joined to it."""


class Tokenizer:
    def __init__(self, folder: Path):
        vocab = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
        lines = (folder / "merges.txt").read_text(encoding="utf-8").split("\n")
        merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
        self._bpe = BpeTokenizer(models.BPE(vocab=vocab, merges=merges))
        self._bpe.normalizer = normalizers.NFC()
        self._bpe.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(WORDS), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        declared = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))["added_tokens_decoder"]
        names = [declared[i]["content"] for i in sorted(declared, key=int)] + LOAD_TIME_TOKENS
        self._bpe.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in names])

    def encode(self, text: str) -> list[int]:
        return self._bpe.encode(text, add_special_tokens=False).ids

    def words(self, text: str) -> list[str]:
        """The pieces inside which merges are made, bytes as GPT-2's printable stand-ins."""
        return [piece for piece, _ in self._bpe.pre_tokenizer.pre_tokenize_str(self._bpe.normalizer.normalize_str(text))]

    def name(self, token: int) -> str:
        """The piece that an id stands for, bytes as GPT-2's printable stand-ins."""
        return self._bpe.id_to_token(token)

    @property
    def added(self) -> dict[int, AddedToken]:
        return self._bpe.get_added_tokens_decoder()

    @property
    def size(self) -> int:
        return self._bpe.get_vocab_size(with_added_tokens=True)


def has_han(text: str) -> bool:
    return any("\u4e00" <= c <= "\u9fff" for c in text)


def drop_blanks(text: str) -> str:
    """Keeps a space only between two ASCII non-spaces; the character before the first is the last one."""
    ascii_word = lambda c: c.isascii() and c != " "
    return "".join(
        c for i, c in enumerate(text) if c != " " or (ascii_word(text[(i + 1) % len(text)]) and ascii_word(text[i - 1]))
    )


@cache
def _speller():
    import inflect

    return inflect.engine()


def spell_digits(text: str) -> str:
    out, run = "", ""
    for c in text + "\0":
        if c.isdigit():
            run += c
            continue
        if run:
            out, run = out + _speller().number_to_words(run), ""
        out += c
    return out[:-1]


def split_paragraph(text: str, chinese: bool, length, most: int = SEGMENT_LENGTH) -> list[str]:
    ends = set("。？！；：、.?!;") if chinese else set(".?!;:")
    if text[-1] not in ends:
        text += "。" if chinese else "."
    pieces, start = [], 0
    for i, c in enumerate(text):
        if c not in ends:
            continue
        if start < i:
            pieces.append(text[start:i] + c)
        start = i + 1
        if i + 1 < len(text) and text[i + 1] in '"”' and pieces:
            pieces[-1] += text[i + 1]
            start = i + 2
    out, current = [], ""
    for piece in pieces:
        if length(current + piece) > most and length(current) > 0.75 * most:
            out.append(current)
            current = ""
        current += piece
    if current:
        if length(current) < 0.25 * most and out:
            out[-1] += current
        else:
            out.append(current)
    return out


def only_marks(text: str) -> bool:
    return all(unicodedata.category(c)[0] in "PS" for c in text)


def normalize(tokenizer: Tokenizer, text: str, segment_length: int = SEGMENT_LENGTH) -> tuple[str, list[str]]:
    """The unsplit normalised text, and the segments to speak."""
    if text == "" or ("<|" in text and "|>" in text):
        return text, [text]
    text = text.strip()
    if not text:
        return text, []
    if chinese := has_han(text):
        text = drop_blanks(text.replace("\n", ""))
        for old, new in (("²", "平方"), ("³", "立方"), (".", "。"), (" - ", "，")):
            text = text.replace(old, new)
        text = re.sub("[（）【】`]", "", text).replace("——", " ")
        text = re.sub("[，,、]+$", "。", text)
        segments = split_paragraph(text, True, len, segment_length)
    else:
        text = spell_digits(text)
        segments = split_paragraph(text, False, lambda s: len(tokenizer.encode(s)), segment_length)
    return text, [s for s in segments if not only_marks(s)]


def front_end(tokenizer: Tokenizer, text: str, prompt: bool) -> dict:
    """The fields of one case of `text.json`."""
    normalized, segments = normalize(tokenizer, text)
    if prompt:
        return {"normalized": normalized, "ids": tokenizer.encode(text)}
    return {"segments": segments, "ids": tokenizer.encode(text)}
