"""The README is short, and its numbers are those of the benchmarks."""

import re

import pytest

from tensorframes.normals import PRETRAINED, pretrained
from tests.pages import DOCS, REPOSITORY, prose, text

README = REPOSITORY / "README.md"
BENCHMARKS = text(DOCS / "benchmarks.md")


def test_it_is_short() -> None:
    assert len(prose(README).replace("|", " ").split()) <= 600


def test_every_paragraph_is_one_sentence() -> None:
    lines = [line for line in prose(README).splitlines() if line and not line.startswith(("#", "|", "!", "-"))]
    sentences = [line for line in lines if not re.search(r"[.:]\*?$", line) or re.search(r"[.?!] [A-Z]", line)]
    assert sentences == []


def test_its_errors_are_those_of_the_benchmarks() -> None:
    names = {"**`best`**": "**best**", "`fast`": "fast", "PCA, 112 neighbours": "PCA, 112 neighbours"}
    for here, there in names.items():
        row = next(line for line in text(README).splitlines() if line.startswith(f"| {here} |"))
        measured = next(line for line in BENCHMARKS.splitlines() if line.startswith(f"| {there} |"))
        errors = re.findall(r"\d+\.\d\d", measured)
        assert len(errors) == 7
        assert re.findall(r"\d+\.\d\d", row) == errors


@pytest.mark.parametrize("name", PRETRAINED)
def test_the_time_of_100_000_normals_is_the_same_on_all_pages(name: str) -> None:
    times = BENCHMARKS.partition("## Time and memory\n")[2]
    (measured,) = re.findall(rf"^\| {name} \| (\d+\.\d\d) \|", times, re.MULTILINE)
    seconds = f"{float(measured):.1f}"
    row = next(line for line in text(README).splitlines() if line.startswith("|") and f"`{name}`" in line)
    assert row.split("|")[-3].strip() == seconds
    assert f"{seconds} s (`{name}`)" in text(DOCS / "model_card.md")
    performance = text(DOCS / "performance.md")
    assert re.findall(rf"100,000 normals with (?:the weights )?`{name}` \|.*\| (\S+) s \|", performance) == [seconds]


@pytest.mark.parametrize("name", PRETRAINED)
def test_parameters_are_those_of_the_weights(name: str) -> None:
    count = f"{sum(parameter.numel() for parameter in pretrained(name).parameters()):,}"
    for page in (README, DOCS / "model_card.md"):
        row = next(line for line in text(page).splitlines() if line.startswith("|") and f"`{name}`" in line)
        assert count in row
