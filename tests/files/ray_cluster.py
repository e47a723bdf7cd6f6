"""A program: a Ray cluster of two nodes on this machine separates songs; one node is killed in the middle.

A run before that is stopped in the middle. Prints, as JSON, what became of each song, the most songs that were given
out at once, and the files that the stopped run left.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from stream_sep.files.formats import AudioFormat
from stream_sep.files.job import SeparationJob
from stream_sep.files.ray_batch import separate_on_ray
from stream_sep.files.settings import SeparationSettings
from stream_sep.files.tracks import find_tracks

SMALL = 80_000_000  # bytes of the store that each node sets aside


def main(songs, out):
    import ray  # noqa: PLC0415 - an extra
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - as above

    job = SeparationJob(SeparationSettings("bands", threads=1), out=out, format=AudioFormat(bits=32))
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": SMALL})
    second = cluster.add_node(num_cpus=1, object_store_memory=SMALL)
    ray.init(address=cluster.address)
    left = files_of_a_stopped_run(find_tracks([songs], out), replace(job, out=out / "stopped"))
    received = {"left": left, **separate_with_a_loss(find_tracks([songs], out), job, cluster, second)}
    ray.shutdown()
    cluster.shutdown()
    json.dump(received, sys.stdout)


def separate_with_a_loss(tracks, job, cluster, second):
    shares, finished, outcomes = {}, set(), {}
    received = {"outcomes": outcomes, "at_once": 0, "killed": False}

    def report(index, share):
        shares[index] = share
        begun = set(shares) - finished
        received["at_once"] = max(received["at_once"], len(begun))
        if not received["killed"] and sum(0 < shares[k].share < 1 for k in begun) == 2:
            cluster.remove_node(second, allow_graceful=False)
            received["killed"] = True

    for index, outcome in separate_on_ray(tracks, job, report):
        finished.add(index)
        outcomes[outcome.track.path.name] = [outcome.error, outcome.notes, list(map(str, outcome.files))]
    return received


def files_of_a_stopped_run(tracks, job):
    try:
        list(separate_on_ray(tracks, job, lambda _, share: share and sys.exit()))
    except SystemExit:
        return [str(file) for file in job.out.rglob("*.*")]
    return ["it was not stopped"]


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
