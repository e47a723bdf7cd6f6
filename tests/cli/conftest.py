"""What tests of the command line share."""

import logging
import sys

import pytest

from stream_sep.cli import main


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    """Run ``stream-sep`` in this process, with its own folder and settings; return code, output and errors."""
    monkeypatch.setenv("STREAM_SEP_CONFIG", str(tmp_path / "settings" / "config.toml"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["stream-sep", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
        output, errors = capsys.readouterr()
        return exit_.value.code, output, errors

    yield run
    for package in ("stream_sep", "bridge"):
        logger = logging.getLogger(package)
        for handler in logger.handlers:
            handler.close()
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
