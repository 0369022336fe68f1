"""What `.ci/run` does about Python, with stand-ins for npm, python3 and pip."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / ".ci" / "run"
VENV = """case "$*" in
*"version_info"*) exit "${OLD:-0}" ;;
"-m venv"*) [ -z "${NO_VENV:-}" ] || exit 1; rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
*"pip install"*) echo "$*" >>pip.log; [ -z "${NO_PIP:-}" ] || exit 1 ;;
*) echo "$*" >>tested.log ;;
esac
"""
PROGRAMS = {"npm": '[ "$1" = ci ] || echo " Tests  3 passed (3)"\n', "id": "echo 1000\n", "python3": VENV}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, body in PROGRAMS.items():
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/usr/bin/env bash\n{body}")
        path.chmod(0o755)
    for name in ("scripts", ".ci"):
        (tmp_path / name).mkdir()
    (tmp_path / "scripts" / "requirements.txt").write_text("one==1\n")
    shutil.copy(RUN, tmp_path / ".ci" / "run")
    return tmp_path


def ran(folder: Path, **environment: str) -> tuple[int, str]:
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run([folder / ".ci" / "run"], env={**os.environ, **environment, "PATH": path}, capture_output=True, text=True)
    return done.returncode, done.stdout


def installations(folder: Path) -> int:
    return len((folder / "pip.log").read_text().splitlines())


def test_requirements_are_installed_once_and_again_when_they_change(folder: Path):
    assert ran(folder)[0] == 0 and ran(folder)[0] == 0 and installations(folder) == 1
    tested = lambda: (folder / "scripts" / "tested.log").read_text()
    assert tested().count("pytest") == 2 and tested().count("toy") == 2
    (folder / "scripts" / "requirements.txt").write_text("one==2\n")
    assert ran(folder)[0] == 0 and installations(folder) == 2


@pytest.mark.parametrize("broken", ["NO_VENV", "NO_PIP"])
def test_an_installation_that_fails_fails_the_run_and_is_tried_again(folder: Path, broken: str):
    status, said = ran(folder, **{broken: "1"})
    assert status == 1 and "FAILED: scripts/requirements.txt could not be installed" in said and said.endswith("3 passed, 1 failed\n")
    assert not (folder / "scripts" / "tested.log").exists()
    assert ran(folder)[0] == 0 and (folder / "scripts" / "tested.log").exists()


def test_a_venv_that_was_cut_short_is_made_again(folder: Path):
    (folder / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(folder / "bin" / "python3", folder / ".venv" / "bin" / "python")
    assert ran(folder)[0] == 0 and installations(folder) == 1


def test_without_a_python_that_will_do_it_is_left_out(folder: Path):
    status, said = ran(folder, OLD="1")
    assert status == 0 and "NOTE: there is no python3 of version 3.11 or newer" in said
    assert not (folder / ".venv").exists()
