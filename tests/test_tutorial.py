"""docs/tutorial.md runs from top to bottom, and what it claims to fail fails."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

TUTORIAL = (Path(__file__).resolve().parents[1] / "docs" / "tutorial.md").read_text(encoding="utf-8")


def test_the_tutorial_runs_as_written(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", TUTORIAL, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 6
    module = ModuleType("tutorial")
    monkeypatch.setitem(sys.modules, "tutorial", module)  # PyG looks a layer's module up by name
    for block in blocks:
        exec(compile(block, "docs/tutorial.md", "exec"), vars(module))
    printed = capsys.readouterr().out
    assert "not equivariant: relative error" in printed
    assert "['attend', 'pool']" in printed
