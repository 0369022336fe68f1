"""The text vocabulary's files (`CosyVoice-BlankEN`): byte-level BPE in the format of Qwen2, learned here or taken from the release."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as BpeTokenizer

from .config import LmConfig
from .text import LOAD_TIME_TOKENS, WORDS, has_han

DECLARED_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
SPARE_ROWS = 5
"""Rows of the text embedding that no token uses; the release has some, too."""

RELEASED_MERGES = 134935
RELEASED_MERGES_SHA256 = "ac8ff86a72bee70828fbc1119bc4398c6f3a9a6e490d7b0dbe917be025478bd0"


def _tokenizer_config(first_id: int) -> dict:
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    return {
        "add_prefix_space": False,
        "added_tokens_decoder": {str(first_id + i): {"content": t, **flags} for i, t in enumerate(DECLARED_TOKENS)},
        "additional_special_tokens": list(DECLARED_TOKENS[1:]),
        "bos_token": None,
        "eos_token": DECLARED_TOKENS[0],
        "errors": "replace",
        "pad_token": DECLARED_TOKENS[0],
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }


def learn_vocabulary(lines: Iterable[str], merges: int) -> tuple[dict[str, int], list[str]]:
    """At most `merges` merges (fewer where the text has no more pairs) inside the words that Qwen2's tokenizer splits off."""
    tokenizer = BpeTokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        lines, trainers.BpeTrainer(vocab_size=256 + merges, initial_alphabet=alphabet, show_progress=False)
    )
    learned = json.loads(tokenizer.to_str())["model"]
    return learned["vocab"], [" ".join(m) if isinstance(m, list) else m for m in learned["merges"]]


def text_rows(vocab: dict[str, int]) -> int:
    """Rows of the text embedding: the vocabulary, the declared tokens, those added when loading, and spare ones."""
    return max(vocab.values()) + 1 + len(DECLARED_TOKENS) + len(LOAD_TIME_TOKENS) + SPARE_ROWS


def _bytes_of() -> dict[str, int]:
    """GPT-2's printable stand-ins -> bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table, spare = {chr(b): b for b in printable}, 256
    for b in range(256):
        if b not in printable:
            table[chr(spare)] = b
            spare += 1
    return table


def joins_han(merge: str, table: dict[str, int]) -> bool:
    """Whether a merge would glue Chinese characters (or a blank and one): such merges were removed from the release."""
    try:
        text = bytes(table[c] for c in merge.replace(" ", "")).decode()
    except UnicodeDecodeError:
        return False
    word = text.lstrip(" ")
    return len(text) >= 2 and word != "" and all(has_han(c) for c in word)


def released_vocabulary(tokenizer_json: Path) -> tuple[dict[str, int], list[str]]:
    """Qwen2's vocabulary and the merges of the release, from the `tokenizer.json` of Qwen2 or Qwen2.5."""
    model = json.loads(tokenizer_json.read_text(encoding="utf-8"))["model"]
    table = _bytes_of()
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    merges = [m for m in merges if not joins_han(m, table)]
    digest = hashlib.sha256("".join(f"{m}\n" for m in merges).encode()).hexdigest()
    if len(merges) != RELEASED_MERGES or digest != RELEASED_MERGES_SHA256:
        raise ValueError(f"{tokenizer_json}: {len(merges)} merges remain (sha256 {digest}); the release has {RELEASED_MERGES}")
    return model["vocab"], merges


def write_vocabulary(folder: Path, vocab: dict[str, int], merges: list[str], header: bool) -> None:
    """`vocab.json`, `merges.txt`, `tokenizer_config.json`"""
    folder.mkdir(parents=True, exist_ok=True)
    _dump(folder / "tokenizer_config.json", _tokenizer_config(max(vocab.values()) + 1))
    _dump(folder / "vocab.json", vocab)
    lines = (["#version: 0.2"] if header else []) + merges
    (folder / "merges.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_vocabulary(folder: Path) -> tuple[dict[str, int], list[str]]:
    vocab = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    lines = (folder / "merges.txt").read_text(encoding="utf-8").split("\n")
    return vocab, [line for line in lines if line and not line.startswith("#version")]


def write_blank_en(folder: Path, c: LmConfig, vocab: dict[str, int], merges: list[str], header: bool) -> None:
    first = max(vocab.values()) + 1
    needed = first + len(DECLARED_TOKENS) + len(LOAD_TIME_TOKENS)
    if c.text_rows < needed:
        raise ValueError(f"sizes: text_rows {c.text_rows} is below the {needed} ids of the tokenizer")
    config = {
        "architectures": ["Qwen2ForCausalLM"],
        "attention_dropout": 0.0,
        "bos_token_id": first,
        "eos_token_id": first,
        "hidden_act": "silu",
        "hidden_size": c.width,
        "intermediate_size": c.ffn,
        "max_position_embeddings": 32768,
        "model_type": "qwen2",
        "num_attention_heads": c.heads,
        "num_hidden_layers": c.layers,
        "num_key_value_heads": c.kv_heads,
        "rms_norm_eps": c.norm_eps,
        "rope_theta": c.rope_theta,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "use_sliding_window": False,
        "vocab_size": c.text_rows,
    }
    write_vocabulary(folder, vocab, merges, header)
    _dump(folder / "config.json", config)


def _dump(path: Path, data: dict) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
