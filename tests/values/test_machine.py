"""The machine as Linux, macOS and Windows describe it."""

from __future__ import annotations

import os
import sys

import pytest

from hatsformat import machine


def test_cores_without_an_affinity(monkeypatch):
    assert 1 <= machine.available_cores() <= os.cpu_count()
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert machine.available_cores() == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert machine.available_cores() == 1


@pytest.mark.parametrize(("text", "expected"), [("1234567\n", 1234567), ("max\n", None)])
def test_the_limit_of_a_control_group(tmp_path, monkeypatch, text, expected):
    monkeypatch.setattr(machine, "CGROUP_LIMITS", (str(tmp_path / "none"),))
    total = machine.available_memory()
    (tmp_path / "limit").write_text(text)
    monkeypatch.setattr(machine, "CGROUP_LIMITS", (str(tmp_path / "limit"),))
    assert machine.available_memory() == (expected or total)


def test_the_peak_in_the_units_of_each_system(monkeypatch):
    resource = pytest.importorskip("resource", reason="there is no module resource on Windows")

    class Usage:
        ru_maxrss = 5000

    monkeypatch.setattr(resource, "getrusage", lambda whose: Usage)
    monkeypatch.setattr(sys, "platform", "linux")
    assert machine.peak_memory() == machine.peak_memory(of_children=True) == 5000 * 1024
    monkeypatch.setattr(sys, "platform", "darwin")
    assert machine.peak_memory() == 5000
    monkeypatch.setitem(sys.modules, "resource", None)
    assert machine.peak_memory() == 0
