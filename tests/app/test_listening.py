"""Sockets that cannot be made are said with the setting that decides them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.app.listening import PortTakenError, bind_path


def test_a_socket_whose_path_the_kernel_cannot_take_is_refused_with_the_setting_and_the_fix(tmp_path: Path) -> None:
    with pytest.raises(PortTakenError, match=r"data_dir: .* choose a data directory with a shorter path"):
        bind_path(tmp_path / ("long" * 30))
    with bind_path(tmp_path / "short") as listener:
        assert listener.getsockname() == str(tmp_path / "short")
