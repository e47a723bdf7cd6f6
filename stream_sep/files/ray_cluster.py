"""Connection to a Ray cluster (https://ray.io), and its capacity."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from stream_sep.errors import SeparatorError, reason
from stream_sep.extras import install_hint

if TYPE_CHECKING:
    from types import ModuleType

    from stream_sep.files.job import SeparationJob


_CORES = 4  # of a worker on a CPU: with more, one song is hardly faster


def import_ray() -> ModuleType:
    """Return the package.

    Raises:
        SeparatorError: it is not installed.
    """
    try:
        import ray  # noqa: PLC0415 - an extra, and heavy
    except ImportError as error:
        raise SeparatorError(f"--executor ray needs Ray ({error}); {install_hint('ray')}") from error
    return ray


def connect(ray: ModuleType, address: str | None) -> None:
    """Join a cluster: the one at ``address``, or at ``RAY_ADDRESS``, or a new one on this machine.

    Args:
        ray: the module.
        address: of the cluster, or None.

    Raises:
        SeparatorError: it does not reply.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry without consent
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        where = address or os.environ.get("RAY_ADDRESS") or "this machine"
        raise SeparatorError(
            f"cannot reach Ray on {where} ({reason(error)}); start it there with 'ray start --head'"
        ) from error


def worker_resources(ray: ModuleType) -> dict[str, float]:
    """Return the resources of a worker on the cluster: a GPU if it has any, some cores otherwise.

    Args:
        ray: the module.
    """
    nodes = _resources(ray)
    if any(node.get("GPU", 0) >= 1 for node in nodes):
        return {"num_cpus": 1, "num_gpus": 1}
    return {"num_cpus": _cores(nodes)}


def room_for(ray: ModuleType, job: SeparationJob) -> tuple[int, dict[str, float], SeparationJob]:
    """Return how many workers fit on the cluster, the resources of each, and the job for each.

    Args:
        ray: the module.
        job: the job.
    """
    nodes = _resources(ray)
    gpus = int(sum(node.get("GPU", 0) for node in nodes))
    if gpus and job.settings.device.partition(":")[0] in {"auto", "cuda"}:
        return gpus, {"num_cpus": 1, "num_gpus": 1}, job
    cores = job.settings.threads or _cores(nodes)
    settings = replace(job.settings, threads=cores)
    room = sum(int(node.get("CPU", 0)) // cores for node in nodes)
    return room, {"num_cpus": cores}, replace(job, settings=settings)


def _resources(ray: ModuleType) -> list[dict[str, float]]:
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _cores(nodes: list[dict[str, float]]) -> int:
    return max(1, min(_CORES, max((int(node.get("CPU", 0)) for node in nodes), default=1)))
