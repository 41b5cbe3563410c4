"""A model's folder is looked at before anything in it is loaded."""

from __future__ import annotations

import os
import pickle

import pytest

from luodi.errors import ProjectError
from luodi.release.scan import scan


class Evil:
    def __reduce__(self):
        return os.system, ("echo never",)


def test_what_is_fine_and_what_is_not(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "pytorch_model.bin").write_bytes(pickle.dumps(Evil()))
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps({"a": 1}))
    found = {each.path: each for each in scan(tmp_path)}
    assert found["config.json"].problem == "" and not found["config.json"].looked
    assert "is a pickle" in found["plain.pkl"].problem and not found["plain.pkl"].dangerous
    evil = found["sub/pytorch_model.bin"]
    assert evil.dangerous and any("system (dangerous)" in call for call in evil.calls)


def test_without_the_scanner_files_are_refused_all_the_same(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "picklescan.scanner", None)
    (tmp_path / "x.bin").write_bytes(pickle.dumps(Evil()))
    (one,) = scan(tmp_path)
    assert "is a pickle" in one.problem and not one.looked


def test_broken_pickles_and_no_folder(tmp_path):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps([1, 2, 3])[:-2] + b"\x00\xff")
    (one,) = scan(tmp_path)
    assert "is a pickle" in one.problem
    with pytest.raises(ProjectError, match="is no folder"):
        list(scan(tmp_path / "nowhere"))
