"""Workers on a Ray cluster (https://ray.io): the same workers as elsewhere, started where there is room.

The queue stays in the database. Ray only chooses the machines, and starts another worker where one was lost.
"""

from __future__ import annotations

import logging
import platform
import threading
from typing import TYPE_CHECKING, Any, Self

from bridge.web.service.context import open_service
from bridge.web.service.worker import WorkerProcess
from stream_sep.errors import ConfigError
from stream_sep.files.ray_cluster import connect, import_ray, worker_resources

if TYPE_CHECKING:
    from types import ModuleType

    from bridge.web.service.config import ServiceConfig

_POLL_SECONDS = 0.5
_AGAIN_SECONDS = 1.0
_MAX_AGAIN_SECONDS = 60.0
_END_SECONDS = 15.0
_log = logging.getLogger(__name__)


class RayWorkers:
    """Keeps workers running on a Ray cluster, which shares the data folder; ends them on exit.

    Args:
        config: of the service.
        count: of workers; one for every GPU, or for every four cores where there is none, at most.
        address: of the cluster; unless given it is what ``RAY_ADDRESS`` names, or one on this machine, for so long.

    Raises:
        SeparatorError: Ray is not installed.
    """

    def __init__(self, config: ServiceConfig, count: int, address: str | None = None) -> None:
        self._ray = import_ray()
        self._config, self._count, self._address = config, count, address
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="ray workers", daemon=True)

    def __enter__(self) -> Self:
        """Join the cluster, and start them.

        Raises:
            SeparatorError: the cluster does not respond.
            ConfigError: it has several machines, and the database is SQLite.
        """
        connect(self._ray, self._address)
        machines = {node["NodeManagerHostname"] for node in self._ray.nodes() if node["Alive"]}
        if len(machines) > 1 and not self._config.database.startswith("postgresql"):
            self._ray.shutdown()
            raise ConfigError(
                f"the Ray cluster has {len(machines)} machines, which cannot share SQLite; use --database postgresql://..."
            )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop them, wait until they have released their jobs, and leave the cluster."""
        self._ended.set()
        self._thread.join(_END_SECONDS + 5.0)
        self._ray.shutdown()

    def _keep(self) -> None:
        running: dict[Any, Any] = {}  # by the ref of its end
        pause = _AGAIN_SECONDS
        while not self._ended.is_set():
            while len(running) < self._count:
                worker = _start(self._ray, self._config)
                running[worker.run.remote()] = worker
            ended = self._ray.wait([*running], timeout=_POLL_SECONDS)[0]
            for ref in ended:
                running.pop(ref)
                pause = _AGAIN_SECONDS if self._ended_well(ref) else min(2 * pause, _MAX_AGAIN_SECONDS)
                self._ended.wait(pause)
        for worker in running.values():
            worker.stop.remote()
        if running:
            self._ray.wait([*running], num_returns=len(running), timeout=_END_SECONDS)
        for worker in running.values():
            self._ray.kill(worker)

    def _ended_well(self, ref: Any) -> bool:  # noqa: ANN401 - a Ray ObjectRef
        try:
            self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            _log.error("a worker on Ray ended: %s", str(error).strip().splitlines()[-1])
            return False
        return True


class _RayWorker:
    """A worker in a process of Ray's. One thread works, another stops it."""

    def __init__(self, config: ServiceConfig) -> None:
        if not config.data.is_dir():
            raise ConfigError(
                f"the folder {config.data} is not on the machine {platform.node()}; "
                "the machines of the cluster must share the data folder under the same name"
            )
        self._service = open_service(config)
        self._worker = WorkerProcess(self._service)

    def run(self) -> None:
        self._worker.run()
        self._service.close()

    def stop(self) -> None:
        self._worker.stop()


def _start(ray: ModuleType, config: ServiceConfig) -> Any:  # noqa: ANN401 - a Ray actor handle
    return ray.remote(max_concurrency=2, **worker_resources(ray))(_RayWorker).remote(config)
