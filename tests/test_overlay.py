"""Overlays: files laid over a folder, templates rendered by the variant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox import overlay
from sandbox.errors import HarnessFault

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def content_of(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_files_replace_add_and_leave_the_rest(tmp_path: Path) -> None:
    below = write(tmp_path / "below", {"a.py": "old", "b/c.py": "stays", "b/d.py": "old"})
    above = write(tmp_path / "above", {"a.py": "new {{ not }} a template", "b/d.py.j2": "{{ x }}"})
    write(above, {"new/deep/e.yaml.j2": "größe: {{ y + 1 }}\n"})
    overlay.lay(above, below, {"x": "mended", "y": 1}, tmp_path)
    assert content_of(below) == {
        "a.py": "new {{ not }} a template",
        "b/c.py": "stays",
        "b/d.py": "mended",
        "new/deep/e.yaml": "größe: 2\n",
    }


def test_byte_code_is_not_laid(tmp_path: Path) -> None:
    above = write(tmp_path / "above", {"__pycache__/a.pyc": "x", "b/__pycache__/c.pyc": "x"})
    overlay.lay(above, tmp_path / "below", {}, tmp_path)
    assert not (tmp_path / "below").exists()


def test_an_overlay_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    overlay.lay(tmp_path / "none", tmp_path / "below", {}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_template_includes_the_scenarios_own_with_other_parameters(tmp_path: Path) -> None:
    write(tmp_path, {"overlay/a.py.j2": "loud={{ loud }} faint={{ faint }}\n"})
    template = '{% set loud = "" %}{% include "overlay/a.py.j2" %}'
    assert overlay.render(template, {"loud": "x", "faint": "y"}, tmp_path) == "loud= faint=y\n"


def test_nothing_is_escaped_and_the_last_line_ends(tmp_path: Path) -> None:
    assert overlay.render("if {{ x }}:\n", {"x": "a < b & 'c'"}, tmp_path) == "if a < b & 'c':\n"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ missing }}", "missing"),
        ("{% if missing %}{% endif %}", "missing"),
        ('{% if "x" in [missing] %}{% endif %}', "missing"),
        ("{% if %}", "Expected an expression"),
        ("{% set x %}", "end of template"),
        ('{% include "overlay/none.j2" %}', "none.j2"),
        ('{% include "../secret.j2" %}', "secret.j2"),
    ],
)
def test_a_template_that_is_wrong_is_our_fault(tmp_path: Path, template: str, said: str) -> None:
    (tmp_path / "secret.j2").write_text("secret")
    home = tmp_path / "home"
    home.mkdir()
    with pytest.raises(HarnessFault, match=said):
        overlay.render(template, {"there": 1}, home)


def test_edits_change_a_few_lines_of_what_is_there(tmp_path: Path) -> None:
    below = write(tmp_path / "below", {"a.py": "one\ntwo\nthree\n"})
    edits = "- old: two\n  new: 2\n- {old: three, new: '3'}\n"
    above = write(tmp_path / "above", {"a.py.edits.yaml": edits.replace("2", "'2'")})
    overlay.lay(above, below, {}, tmp_path)
    assert content_of(below) == {"a.py": "one\n2\n3\n"}


@pytest.mark.parametrize("text", ["nothing of it", "two and two"])
def test_an_edit_that_does_not_fit_once_is_a_fault_of_ours(tmp_path: Path, text: str) -> None:
    below = write(tmp_path / "below", {"a.py": text})
    above = write(tmp_path / "above", {"a.py.edits.yaml": "- {old: two, new: three}\n"})
    with pytest.raises(HarnessFault, match="once"):
        overlay.lay(above, below, {}, tmp_path)
    assert content_of(below) == {"a.py": text}
