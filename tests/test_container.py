"""The image without building it (that is in CONTRIBUTING.md, Container), and compose.yaml."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from tests.pages import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")  # ${NAME:-default}


def instructions() -> list[tuple[str, str]]:
    """(instruction, arguments) of the Dockerfile, in order."""
    lines = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    joined = "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", "")
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def stages() -> list[dict[str, list[str]]]:
    """Arguments by instruction, of each stage."""
    found: list[dict[str, list[str]]] = []
    for name, arguments in instructions():
        if name == "FROM":
            found.append({})
        if found:
            found[-1].setdefault(name, []).append(arguments)
    return found


def program(folder: Path, name: str, code: str) -> None:
    """A program of that name in the folder."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{code}\n", encoding="utf-8")
    path.chmod(0o755)


def shell(code: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it in the folder, whose programs come first."""
    environment = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", **variables}
    return subprocess.run(["sh", "-c", code], cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def test_hadolint_finds_nothing() -> None:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    ended = subprocess.run([hadolint, REPOSITORY / "Dockerfile"], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "")


def test_bases_are_pinned() -> None:
    bases = [stage["FROM"][0].split()[0] for stage in stages()]
    assert len(bases) == 2
    assert [base for base in bases if not re.fullmatch(r"\S+/python:\$\{PYTHON_VERSION\}-slim-[a-z]+", base)] == []


def test_the_last_stage_installs_the_compiler_alone() -> None:
    last = stages()[-1]
    installed = [re.findall(r"apt-get install (.*?) &&", each) for each in last["RUN"]]
    (packages,) = [each for found in installed for each in found]
    assert [word for word in shlex.split(packages) if not word.startswith("--")] == ["g++=4:12.*"]
    assert [each for each in last["RUN"] if "pip" in each] == []
    assert last["COPY"] == ["--from=build /venv /venv"]
    assert last["USER"] == ["1000"]


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A folder like that of the first stage, with a pip that prints where else it would look for packages."""
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    program(tmp_path, "python", f'exec {sys.executable} "$@"')
    program(tmp_path, "pip", 'echo "${*#*requirements.txt}"')
    return tmp_path


@pytest.mark.parametrize(
    ("device", "index", "expected"),
    [
        ("cuda", "", ""),
        ("cpu", "", "--extra-index-url https://download.pytorch.org/whl/cpu"),
        ("cuda", "https://other", "--extra-index-url https://other"),
    ],
)
def test_what_is_installed(build: Path, device: str, index: str, expected: str) -> None:
    (install,) = (each for each in stages()[0]["RUN"] if "requirements.txt" in each)
    ended = shell(install, build, DEVICE=device, TORCH_INDEX=index)
    assert (ended.stdout.strip(), ended.stderr) == (expected, "")
    project = PROJECT["project"]
    extras = (project["optional-dependencies"][name] for name in ("train", "wandb", "sweeps", "report"))
    written = (build / "requirements.txt").read_text(encoding="utf-8").split("\n")[:-1]
    assert written == [*project["dependencies"], *(line for extra in extras for line in extra)]


def test_another_device_is_refused(build: Path) -> None:
    (install,) = (each for each in stages()[0]["RUN"] if "requirements.txt" in each)
    ended = shell(install, build, DEVICE="tpu", TORCH_INDEX="")
    assert (ended.returncode, ended.stderr) == (2, "expected DEVICE=cuda or DEVICE=cpu, got DEVICE=tpu\n")


def test_what_the_wheel_needs_is_copied() -> None:
    copied = {word for each in stages()[0]["COPY"] for word in each.split()[:-1]}
    project, wheel = PROJECT["project"], PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {"pyproject.toml", project["readme"], *project["license-files"], *wheel["only-include"]} <= copied
    assert [name for name in copied if not (REPOSITORY / name).exists()] == []
    ignored = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert copied.isdisjoint(ignored)


@pytest.mark.parametrize(
    ("package", "gpu", "healthy"), [(0, None, True), (0, 0, True), (1, None, False), (1, 0, False), (0, 15, False)]
)
def test_health(tmp_path: Path, package: int, gpu: int | None, healthy: bool) -> None:
    (check,) = stages()[-1]["HEALTHCHECK"]
    (_, _, code) = json.loads(check.partition("CMD ")[2])
    program(tmp_path, "tensorframes", f'[ "$1" = --version ] && exit {package}')
    if gpu is not None:
        program(tmp_path, "nvidia-smi", f"exit {gpu}")
    elif shutil.which("nvidia-smi"):
        pytest.skip("this machine has a GPU's driver")
    assert (shell(code, tmp_path).returncode == 0) is healthy


def service() -> dict[str, Any]:
    """The one service of compose.yaml."""
    (found,) = yaml.safe_load((REPOSITORY / "compose.yaml").read_text(encoding="utf-8"))["services"].values()
    return found


def test_a_service_trains_on_all_gpus_that_it_gets() -> None:
    (gpus,) = service()["deploy"]["resources"]["reservations"]["devices"]
    words = shlex.split(service()["command"])
    assert words[:2] == ["train", "trainer=ddp"]
    assert f"trainer.devices={gpus['count']}" in words
    written = shlex.split(VARIABLE.sub(lambda found: found[2], " ".join(words[1:])))
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(REPOSITORY / "configs"), version_base="1.3"):
        assert compose("train", written).trainer.devices == 2


def test_the_service_binds_the_volumes_of_the_image() -> None:
    (declared,) = stages()[-1]["VOLUME"]
    bound = dict(each.split(":") for each in service()["volumes"])
    assert {target for source, target in bound.items() if source.startswith("./")} == set(json.loads(declared))
    assert bound["cache"] == "/home/tensorframes/.cache"
    assert f"DEVICE: {service()['build']['args']['DEVICE']}" == "DEVICE: ${DEVICE:-cuda}"
