"""Make weights ready to ship: export them into the package, score them there, and write their model card.

``python tools/model_card.py out/live/best.safetensors live --validation PREVIEWS --songs FREE_SONGS``: it scores
the held-out songs, at the percentage in the config, and whole songs.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from pathlib import Path

from stream_sep.separators.causal.export import export_int8
from stream_sep.separators.causal.separator import MAX_LATENCY_MS, longest_hop_within
from stream_sep.separators.causal.weights import load_weights
from stream_sep.separators.weight_file import count_weights, read_metadata

FOLDER = Path(__file__).parent.parent / "stream_sep" / "assets" / "weights"
CARD = """# {name}

A causal network that separates stereo into vocals, drums, bass and other with {late:.1f} ms of algorithmic latency: hop {hop}, fade {fade},
analysis window {window} frames, one network step every {network_hop} frames, {parameters:.2f} million parameters.
`docs/explanation/causal-network.md` describes the design.
File: `{name}.safetensors`, {megabytes:.1f} MB, SHA-256 `{digest}`.
Four fifths of the weights are int8; the quantization error is 60 dB below each stem.

## Trained on

{data}

{step} steps, {hours:.1f} hours on {machine}. {config}

## Scores

uSDR in dB, streamed hop by hop. Held-out songs (by artist), {percent} % of the previews:

{validation}
{songs}
`mix` is the score of the unprocessed mix. Scores of 7 s clips are not comparable with published scores of whole albums.

## Limits

{badly}

## How to train a better one

More songs help most. With MUSDB18-HQ and a GPU, build a cache of it (`stream-sep data build`), name it in `presets/training/{name}.toml`, and train; see
`docs/how-to/train.md`.

## Licence

MIT, as the project. The previews of MUSDB18 are for education and non-commercial use; its authors publish weights trained
on all of it under MIT, and so are these. The weights contain no audio. If your use needs weights trained without such data,
train on songs of your own.
"""
SONGS = """
Five whole songs under CC0 from the training data:

{table}
"""


def tables(*arguments: str) -> str:
    """Return the output of ``stream-sep evaluate``, up to the end of its first table."""
    command = [sys.executable, "-P", "-m", "stream_sep", "evaluate", *arguments]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return output.split("\n\n")[0].strip() + "\n"


def main() -> None:
    """Write ``NAME.safetensors`` and ``NAME.md`` into the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, help="best.safetensors of a training")
    parser.add_argument("name", choices=[*MAX_LATENCY_MS], help="what the model is called")
    parser.add_argument("--validation", required=True, help="folder of the previews of MUSDB18")
    parser.add_argument("--songs", help="folder of whole songs")
    parser.add_argument("--data", type=Path, required=True, help="text on the training data")
    parser.add_argument("--badly", type=Path, required=True, help="text on the model's limits")
    parser.add_argument("--machine", default="two cores of an EPYC")
    parser.add_argument("--config", default="The config is in `presets/training/`.", help="text on the config")
    arguments = parser.parse_args()
    name, notes = arguments.name, read_metadata(arguments.weights)[0]
    network, config = load_weights(arguments.weights), json.loads(notes["config"])
    hop = longest_hop_within(network.size, MAX_LATENCY_MS[name])
    if hop is None:
        parser.error(f"{arguments.weights} has more latency than the {MAX_LATENCY_MS[name]:g} ms of {name!r}")
    size = network.size.with_hop(hop)
    FOLDER.mkdir(exist_ok=True)
    file = FOLDER / f"{name}.safetensors"
    export_int8(arguments.weights, file)
    models = ("--model", name, "--model", "bands")
    percent = str(config["data"]["validation_percent"])
    validation = tables(arguments.validation, "--validation", percent, *models)
    songs = SONGS.format(table=tables(arguments.songs, *models)) if arguments.songs else ""
    (FOLDER / f"{name}.md").write_text(
        CARD.format(
            name=name,
            late=1000 * size.algorithmic_latency / 44100,
            hop=size.hop,
            fade=size.fade,
            window=size.window,
            network_hop=network.size.hop,
            parameters=count_weights(network) / 1e6,
            megabytes=file.stat().st_size / 2**20,
            digest=hashlib.sha256(file.read_bytes()).hexdigest(),
            data=arguments.data.read_text(encoding="utf-8").strip(),
            step=notes["step"],
            hours=float(notes["seconds"]) / 3600,
            machine=arguments.machine,
            config=arguments.config,
            percent=percent,
            validation=validation,
            songs=songs,
            badly=arguments.badly.read_text(encoding="utf-8").strip(),
        ),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
