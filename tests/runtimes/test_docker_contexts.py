"""What the daemon builds an image from: modes that do not hang on how a submission travelled."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import pytest

from sandbox.errors import SubmissionFault
from sandbox.runtimes.docker import contexts

if TYPE_CHECKING:
    from pathlib import Path


def test_scripts_may_be_run_and_other_files_read(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "run.sh").write_text("#!/bin/sh\nexec python -m service\n")
    (tmp_path / "empty").write_bytes(b"")
    data = tmp_path / "data"
    data.write_text("# no program\n")
    data.chmod(0o777)
    (tmp_path / "link").symlink_to("data")
    names = contexts.wanted(tmp_path)
    with contexts.packed(tmp_path, names) as file, tarfile.open(fileobj=file) as tar:
        modes = {entry.name: oct(entry.mode) for entry in tar}
    assert modes == {
        "data": "0o644",
        "deploy": "0o755",
        "deploy/run.sh": "0o755",
        "empty": "0o644",
    }


def test_a_pattern_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / contexts.IGNORED).write_text("data[z-a]\n")
    with pytest.raises(
        SubmissionFault, match=r"patterns in \.dockerignore; saw bad character range"
    ):
        contexts.wanted(tmp_path)
