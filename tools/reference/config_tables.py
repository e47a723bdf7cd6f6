"""The files and variables that a user writes: presets, MIDI maps, training configs, environment; and the errors."""

import dataclasses
import inspect
import re
from pathlib import Path

from markdown import attributes_of, code, constants_of, prose, table

import bridge
import stream_sep
from bridge.midi.map import PROFILES, Control, MidiMap
from bridge.midi.messages import RELATIVE
from stream_sep import errors
from stream_sep.control.presets import schema
from stream_sep.separators.causal.config import SIZES, NetworkConfig
from stream_sep.separators.frame_transformer.config import FORMS, FrameTransformerConfig
from stream_sep.separators.frame_transformer.config import SIZES as TRANSFORMER_SIZES
from stream_sep.training.augmentation import AugmentConfig
from stream_sep.training.config import DataConfig, TeachConfig, TrainingConfig
from stream_sep.training.data.remix import MixConfig
from stream_sep.training.kinds import KINDS
from stream_sep.training.losses import LOSSES
from stream_sep.training.schedule import SCHEDULES

_CHOICES = {"FORMS": FORMS, "PROFILES": PROFILES, "RELATIVE": RELATIVE, "SCHEDULES": SCHEDULES, "LOSSES": LOSSES}
ROOT = Path(__file__).resolve().parents[2]


def preset_page() -> str:
    """Return the page of the preset keys."""
    rows = [
        ("`schema`", "integer", f"always {schema.SCHEMA}"),
        ("`description`", "text", "one line, shown by `presets list`"),
        ("`fade_ms`", "number", "length of the fade when the preset is recalled"),
        ("`reset`", "true, false", "whether everything the preset leaves out returns to its default"),
        ("`[stem.NAME]`, `[master]`, ...", "table", "values by control path; dots and slashes are the same"),
        ("`[outputs]`", "table", "bus -> first output channel, from 1; applied when the engine starts"),
        ("`[[chains.NAME]]`", "tables", "effects of a stem in order: `plugin`, `parameters`, `bypass`"),
    ]
    examples = "\n\n".join(
        f"### {file.stem}\n\n```toml\n{file.read_text(encoding='utf-8').rstrip()}\n```"
        for file in sorted((ROOT / "presets" / "mixes").glob("*.toml"))
    )
    return (
        "# Presets\n\nA preset is a TOML file. `stream-sep presets check FILE` names every mistake with its line.\n\n"
        f"{table(('key', 'type', 'meaning'), rows)}\n\n"
        f"The paths are those of the [control tree](control-tree.md).\n\n## Bundled presets\n\n{examples}\n"
    )


def _fields(kind: type, names: dict[str, str] | None = None) -> str:
    texts = attributes_of(kind)
    rows = []
    for item in dataclasses.fields(kind):
        name = (names or {}).get(item.name, item.name)
        default = code(_toml(item.default))
        rows.append((code(name), default, _with_values(texts.get(item.name, ""))))
    return table(("key", "default", "meaning"), rows)


def _with_values(text: str) -> str:
    """Return a description with the values in place of the constant that lists them."""
    for name, values in _CHOICES.items():
        text = text.replace(f"one of `{name}`", "one of " + ", ".join(map(code, values)))
    return text


def _toml(value: object) -> str:
    """Return a default as it is written in TOML; empty where there is none."""
    if value is dataclasses.MISSING or value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def midi_map_page() -> str:
    """Return the page of the MIDI map keys."""
    file = ROOT / "presets" / "midi" / "nanokontrol2.toml"
    return (
        "# MIDI maps\n\nA map is a TOML file with `schema = 1`, the keys of the device, and one `[[control]]` table per\n"
        "fader, knob or button. `count` repeats a control with the next number and the next stem, `stride` numbers apart.\n\n"
        f"## Device\n\n{_fields(MidiMap)}\n\n## `[[control]]`\n\n{_fields(Control, {'source': 'in'})}\n\n"
        f"## Example\n\n```toml\n{file.read_text(encoding='utf-8').rstrip()}\n```\n"
    )


def training_page() -> str:
    """Return the page of the keys of a training config."""
    tables = {
        "data": DataConfig,
        "mix": MixConfig,
        "augment": AugmentConfig,
        "training": TrainingConfig,
        "teach": TeachConfig,
    }
    sections = "\n\n".join(f"## `[{name}]`\n\n{_fields(kind)}" for name, kind in tables.items())
    return (
        "# Training configs\n\nA training config is a TOML file; `presets/training/` holds examples, and\n"
        "[training](../../how-to/train.md) shows how to use them. A key that is not listed here is refused.\n\n"
        f"{_networks()}\n\n{sections}\n"
    )


def _networks() -> str:
    """Return the keys of the network, by kind."""
    causal, transformer = (
        ", ".join(code(name) for name in kinds if name != "tiny") for kinds in (SIZES, TRANSFORMER_SIZES)
    )
    return (
        "## `[network]`\n\n`kind` is one of "
        + ", ".join(map(code, KINDS))
        + ", or your own as `package.module:KIND`; `causal` by default.\n\n"
        f'### `kind = "causal"`\n\n`size` names the defaults: {causal}; those of `live` are listed.\n\n'
        f"{_fields(NetworkConfig)}\n\n"
        f'### `kind = "frame-transformer"`\n\n`size` names the defaults: {transformer}; those of `s` are listed.\n\n'
        f"{_fields(FrameTransformerConfig)}\n\n"
        '### `kind = "unet"`\n\n`base` is the number of channels of the first level, 8 by default.\n\n'
        '### `kind = "hs-tasnet"`\n\n`small`, `hidden` and `basis`; see `presets/training/hs-tasnet-small.toml`.\n\n'
        "## `groups`\n\nThe stems to separate into, where the kind allows it; see\n"
        "[other stems](../../how-to/train-other-networks.md#other-stems)."
    )


def environment_page() -> str:
    """Return the page of environment variables that the code reads."""
    rows = []
    for package in (stream_sep, bridge):
        for file in sorted(Path(str(package.__file__)).parent.rglob("*.py")):
            for value, text in constants_of(file.read_text(encoding="utf-8")).values():
                if re.fullmatch(r"STREAM_SEP_[A-Z_]+", str(value)):
                    rows.append((code(value), text))
    rows += [
        ("`NUMBA_CACHE_DIR`", "Folder for compiled code, in place of the cache folder."),
        ("`NO_COLOR`", "Any value turns colours off."),
        ("`RAY_ADDRESS`", "The Ray cluster that `separate --executor ray` joins."),
    ]
    return f"# Environment variables\n\n{table(('variable', 'meaning'), sorted(rows))}\n"


def errors_page() -> str:
    """Return the page of the error classes."""
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]
    rows = [
        (code(kind.__name__), code(kind.__base__.__name__), prose(inspect.getdoc(kind) or ""))  # type: ignore[union-attr]
        for kind in kinds
    ]
    return (
        "# Errors\n\nEvery error that a user meets is a `StreamSepError`, importable from `stream_sep`. The message names\n"
        "the problem, the value and a remedy. The command line prints it and exits with 1.\n\n"
        f"{table(('class', 'base', 'meaning'), rows)}\n"
    )
