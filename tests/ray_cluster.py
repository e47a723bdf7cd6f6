"""A program: a Ray cluster of two nodes on this machine separates songs; one node is killed in the middle.

Then a run is stopped in the middle. Prints, as JSON, what became of each song, the most songs that were given out at
once, and the files that the stopped run left.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from stream_sep.files.formats import AudioFormat
from stream_sep.files.job import Job
from stream_sep.files.ray_batch import separate_on_ray
from stream_sep.files.recipe import Recipe
from stream_sep.files.tracks import find_tracks

songs, out = Path(sys.argv[1]), Path(sys.argv[2])
job = Job(Recipe("bands", threads=1), out=out, format=AudioFormat(bits=32))
tracks = find_tracks([songs], out)
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 80_000_000})
second = cluster.add_node(num_cpus=1, object_store_memory=80_000_000)
shares, finished, most, killed = {}, set(), 0, False


def report(index, share):
    global most, killed  # noqa: PLW0603 - a script
    shares[index] = share
    begun = set(shares) - finished
    most = max(most, len(begun))
    if not killed and sum(0 < shares[k] < 1 for k in begun) == 2:
        cluster.remove_node(second, allow_graceful=False)
        killed = True


told = {}
for number, outcome in separate_on_ray(tracks, job, report, address=cluster.address):
    finished.add(number)
    told[outcome.track.path.name] = [outcome.failure, outcome.remarks, [str(file) for file in outcome.files]]
stopped = separate_on_ray(tracks, replace(job, out=out / "stopped"), lambda _, share: share and sys.exit())
try:
    list(stopped)
except SystemExit:
    left = [str(file) for file in (out / "stopped").rglob("*.*")]
ray.shutdown()
cluster.shutdown()
json.dump({"outcomes": told, "at_once": most, "killed": killed, "left": left}, sys.stdout)
