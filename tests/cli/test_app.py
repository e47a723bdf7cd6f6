"""What people expect of any command: help, version, completion, one form of errors, exit codes, logs."""

import importlib.util
import os
import re
import signal
import subprocess
import sys

import pytest
import typer

import stream_sep.cli
from stream_sep.cli.renamed import RENAMED
from stream_sep.cli.subjects import LONG_COMMANDS, SUBJECTS

COMMANDS = ["demo", "live", "play", "separate", "render", "devices", "evaluate", "layout", "train", "bench"]
COMMANDS += [
    "serve",
    "serve user",
    "host",
    "plugin",
    "warm-up",
    "bench files",
    "cache list",
    "presets",
    "midi",
    "models",
    "config",
    "cache",
    "data",
]


@pytest.mark.parametrize("name", ["", *COMMANDS])
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_has_a_short_and_a_long_name(command, name, flag):
    code, output, _ = command(*name.split(), flag)
    assert code == 0
    assert "Usage: stream-sep" in output


def every_command(group, path=()):
    """Yield the words of every command."""
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from every_command(command, (*path, name))


def test_help_fits_a_terminal_of_80_columns_and_is_not_cut(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for words in every_command(typer.main.get_command(stream_sep.cli.app)):
        _, output, _ = command(*words, "--help")
        lines = output.partition("\n\n")[2].splitlines()  # after the usage, whose ARGS end in dots
        assert max(len(line) for line in lines) <= 80, words
        assert not [line for line in lines if line.endswith(("...", "\N{HORIZONTAL ELLIPSIS}"))], words
        indents = [len(line) - len(line.lstrip()) for line in lines]
        assert max(indents) <= 34, words  # the texts have more than half of the width


def test_version_names_what_a_bug_report_needs(command):
    code, output, _ = command("--version")
    assert code == 0
    assert output.startswith("stream-sep ")
    assert all(word in output for word in ("Python", "Numba", "NumPy"))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("lvie",), 2, "Did you mean 'live'?"),
        (("live", "--fast"), 2, "--fast"),
        (("live", "--block-size", "many"), 2, "--block-size"),
        (("presets", "show", "karaoki"), 1, "karaoke"),
        (("render", "missing.wav"), 1, "missing.wav"),
        (("config", "set", "modle", "bands"), 1, "model"),
    ],
)
def test_errors_have_one_form_and_documented_codes(command, arguments, code, words):
    ended, output, errors = command(*arguments)
    assert ended == code
    assert output == ""
    assert errors.startswith("stream-sep: error: ")
    assert words in errors
    assert errors.count("\n") == 1


def test_unforeseen_error_is_a_message_and_a_traceback_on_request(command, monkeypatch):
    def explode():
        raise ZeroDivisionError("boom")

    monkeypatch.setattr("stream_sep.backends.devices.list_devices", explode)
    code, _, errors = command("devices")
    assert (code, errors.count("\n")) == (1, 1)
    assert "unexpected ZeroDivisionError: boom" in errors
    assert "Traceback" in command("devices", "-vv")[2]


def test_import_of_a_missing_extra_gives_an_error_message_with_the_command_that_installs_it(command, monkeypatch):
    def fail():
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr("stream_sep.backends.devices.list_devices", fail)
    code, _, errors = command("devices")
    assert (code, errors.count("\n")) == (1, 1)
    assert errors.startswith("stream-sep: error: this needs torch, which is not installed; run: ")
    assert "[train]" in errors


def test_live_page_without_its_packages_is_refused_before_the_device_is_opened(command, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "starlette" else real(name, *rest)
    )
    code, _, errors = command("live", "--web", "--input", "no such device")
    assert code == 1
    assert "the live page needs starlette; run: " in errors
    assert "[web]" in errors


def test_ctrl_c_is_code_130(command, monkeypatch):
    monkeypatch.setattr("stream_sep.backends.devices.list_devices", lambda: signal.raise_signal(signal.SIGINT))
    assert command("devices")[0] == 130


def test_log_file_has_versions_and_what_went_wrong(command, tmp_path):
    command("presets", "show", "nope", "--log-file", "log.txt")
    log = (tmp_path / "log.txt").read_text()
    assert "stream-sep " in log
    assert "Python" in log
    assert "there is no preset 'nope'" in log or "no preset" in log


def test_log_file_that_cannot_be_written_is_an_error(command):
    code, _, errors = command("presets", "list", "--log-file", "no/folder/log.txt")
    assert code == 1
    assert "no/folder/log.txt" in errors


@pytest.mark.parametrize("shell", ["bash", *(pytest.param(name, marks=pytest.mark.slow) for name in ("zsh", "fish"))])
@pytest.mark.parametrize(
    ("words", "found", "left_out"),
    [
        ("stream-sep li", "live", "demo"),
        ("stream-sep live --model causal-2", "causal-22ms", "causal-6ms"),
        ("stream-sep live --preset kara", "karaoke", "acapella"),
    ],
)
def test_completion_completes(shell, words, found, left_out):
    environment = {
        **os.environ,
        "_STREAM_SEP_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
        "_TYPER_COMPLETE_ARGS": words,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    code = "import sys; sys.argv = ['stream-sep']; from stream_sep.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert found in done.stdout
    assert left_out not in done.stdout


def test_no_color_turns_colours_off(command, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[3" not in command("presets", "list")[1]


def test_long_commands_list_their_options_by_subject(command):
    group = typer.main.get_command(stream_sep.cli.app)
    flags = {flag for name in LONG_COMMANDS for option in group.commands[name].params for flag in option.opts}
    assert {flag for options in SUBJECTS.values() for flag in options} <= flags
    lines = command("live", "--help")[1].splitlines()
    osc, browser = lines.index("OSC and OSCQuery:"), lines.index("Faders in the browser:")
    assert osc < next(at for at, line in enumerate(lines) if line.strip().startswith("--osc-port")) < browser


def test_every_short_name_stands_for_an_option_there_is():
    group = typer.main.get_command(stream_sep.cli.app)
    commands = {**group.commands}
    for entry in group.commands.values():
        commands.update(getattr(entry, "commands", {}))
    for name, options in RENAMED.items():
        known = {flag for option in commands[name].params for flag in (*option.opts, *option.secondary_opts)}
        assert set(options.values()) <= known, name
        assert not set(options) & known, name


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    ["--version", "presets list", "presets show karaoke", "midi maps", "models list", "config show", "cache list"],
)
def test_user_without_a_home_reads_everything(arguments):
    left_out = {
        "STREAM_SEP_CONFIG",
        "STREAM_SEP_PRESETS",
        "STREAM_SEP_MIDI_MAPS",
        "XDG_CONFIG_HOME",
        "XDG_CACHE_HOME",
    }
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    command = [sys.executable, "-m", "stream_sep", *arguments.split()]
    done = subprocess.run(
        command, env={**environment, "HOME": "/dev/null"}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("arguments", ["config set block-size 64", "presets save mine --set vocals=-6"])
def test_user_without_a_home_gets_the_path_that_cannot_be_written(arguments):
    environment = {name: value for name, value in os.environ.items() if name != "XDG_CONFIG_HOME"}
    for name in ("STREAM_SEP_CONFIG", "STREAM_SEP_PRESETS"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "stream_sep", *arguments.split()]
    done = subprocess.run(
        command, env={**environment, "HOME": "/dev/null"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("stream-sep: error: cannot ")
    assert "/dev/null" in done.stderr


def test_no_help_text_is_taken_for_markup():
    """Rich drops words in square brackets from a help text, such as a default."""
    group = typer.main.get_command(stream_sep.cli.app)
    pending, texts = [group], []
    while pending:
        command = pending.pop()
        pending += getattr(command, "commands", {}).values()
        texts += [command.help or "", *(getattr(option, "help", None) or "" for option in command.params)]
    assert len(texts) > 200
    assert [text for text in texts if re.search(r"\[[a-z]", text)] == []


def test_no_default_is_a_number_that_means_none():
    group = typer.main.get_command(stream_sep.cli.app)
    shown = [
        (command.name, option.name)
        for command in group.commands.values()
        for option in command.params
        if option.default == -1 and option.show_default
    ]
    assert shown == []
