"""
Other speakers, for what hears and not for what speaks: Debian's HTS voice of Festival (`festvox-us-slt-hts`, 32 kHz) and the voices of
flite (16 kHz), all free for any use (CMU, BSD-like). What they say is spelled by the first teacher's front end.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import torch

from ..features import resample
from .hibari import RATE, Spoken, front_end

FESTIVAL = {"slt": "voice_cmu_us_slt_arctic_hts"}
FLITE = ("rms", "awb", "kal16")


def _installed(program: str, package: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise RuntimeError(f"the teacher needs {program}: apt-get install {package}")
    return path


def _read(path: Path) -> np.ndarray:
    samples, rate = soundfile.read(path, dtype="float32")
    return resample(torch.from_numpy(samples), rate, RATE).numpy()


class _Program:
    """Speaks one sentence at a time, the same samples every time; the pitch is not told."""

    rate = RATE

    def __init__(self, name: str):
        self.name = name
        self.folder = tempfile.TemporaryDirectory(prefix="teacher-")
        self.wav = Path(self.folder.name) / "spoken.wav"

    def phonemes(self, text: str) -> str:
        return front_end().phonemes(text)

    def speak(self, text: str) -> Spoken:
        self.wav.unlink(missing_ok=True)
        self._write(text)
        return Spoken(_read(self.wav), None, self.phonemes(text))

    def _write(self, text: str) -> None:
        raise NotImplementedError


class Festival(_Program):
    """One process that goes on; it reads expressions and writes files. Raises RuntimeError when it ends."""

    def __init__(self, name: str):
        super().__init__(name)
        command = [_installed("festival", "festival festvox-us-slt-hts"), "--pipe"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self._ask(f"({FESTIVAL[name]})")

    def _ask(self, expression: str) -> None:
        try:
            self.process.stdin.write(f'{expression}\n(format stderr "\\ndone\\n")\n')  # unlike stdout, not held back
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        for line in self.process.stderr:
            if line.strip() == "done":
                return
        raise RuntimeError(f"festival ended at {expression}; is the voice installed (apt-get install festvox-us-slt-hts)?")

    def _write(self, text: str) -> None:
        quoted = text.replace("\\", " ").replace('"', " ")
        self._ask(f'(utt.save.wave (utt.synth (Utterance Text "{quoted}")) "{self.wav}" \'riff)')

    def __del__(self):
        process = getattr(self, "process", None)
        if process is not None:
            process.stdin.close()
            process.wait(5)


class Flite(_Program):
    def _write(self, text: str) -> None:
        command = [_installed("flite", "flite"), "-voice", self.name, "-t", text, "-o", str(self.wav)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
