"""The process: models are opened, the port is bound, and signals end it after what was accepted is answered."""

from __future__ import annotations

import logging
import os
import signal
import sys
from errno import EACCES, EADDRINUSE
from pathlib import Path
from socket import AF_INET, AF_INET6, create_server, socket

import tensorflow as tf
import uvicorn

from nmt.config.serve import ServeConfig
from nmt.errors import ConfigError
from nmt.plumbing.text import read_lines
from nmt.serve.api import make_app
from nmt.serve.models import Shelf, checkpoint_opener
from nmt.serve.queue import BatchQueue
from nmt.serve.service import Service
from nmt.training.device import Chosen, choose_device

LONGEST_END_S = 60  # that an end waits for answers


def serve(config: ServeConfig) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP takes over checkpoints that have changed."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    at_once = share_cores(choose_device(config.device, config.threads), config.threads, config.at_once)
    keys = [] if config.keys is None else read_keys(Path(config.keys))
    place = bound(config.host, config.port)
    shelf = Shelf(config.checkpoint, checkpoint_opener(tuple(config.overrides), config.alternatives))
    queue = BatchQueue(config.wait_ms / 1000, config.batch, config.queue, config.cache, at_once)
    settings = uvicorn.Config(
        make_app(Service(shelf, queue, config, keys)),
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=LONGEST_END_S,
    )
    signal.signal(signal.SIGHUP, lambda *_: shelf.look_now())
    shelf.watch(config.watch_s)
    try:
        Server(settings, shelf).run([place])
    finally:
        shelf.close()
        queue.close()


def share_cores(device: Chosen, threads: int, at_once: int) -> int:
    """How many batches are translated at once, each with its share of the cores. To be called before TensorFlow runs.

    A core each takes less for two batches than two cores together for one that is twice as large, and while answers of
    one are written the other goes on.
    """
    if device.kind != "cpu":
        return 1
    cores = threads or len(os.sched_getaffinity(0))
    at_once = min(at_once, cores)
    if at_once > 1:  # each has a thread of its own beside these
        tf.config.threading.set_intra_op_parallelism_threads(max(1, cores - at_once))
    return at_once


def bound(host: str, port: int) -> socket:
    """A socket at this address. Raises ConfigError where that is taken, or not one of this machine."""
    family = AF_INET6 if ":" in host else AF_INET
    try:
        host.encode("idna")
        return create_server((host, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:  # the latter for what can be no name
        reason = (error.strerror or str(error)).partition(" (while")[0] if isinstance(error, OSError) else "no name"
        raise ConfigError(
            "port" if isinstance(error, OSError) and error.errno in (EADDRINUSE, EACCES) else "host",
            found=f"{host} port {port} ({reason})",
            expected="an address of this machine with a free port",
            next_step="choose another one; port=0 takes any that is free",
        ) from error


class Server(uvicorn.Server):
    """Says where it listens once it does."""

    def __init__(self, config: uvicorn.Config, shelf: Shelf) -> None:
        super().__init__(config)
        self.shelf = shelf

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = (sockets or self.servers[0].sockets)[0].getsockname()[:2]
            pairs = ", ".join(f"{model.source}-{model.target} ({model.name})" for model in self.shelf.models)
            print(f"serving {pairs} at http://{f'[{host}]' if ':' in host else host}:{port}/", flush=True)


def read_keys(path: Path) -> list[bytes]:
    """A key a line. Raises DataError for a file that cannot be read, ConfigError for one without keys."""
    keys = [line.strip().encode() for line in read_lines(path) if line.strip()]
    if not keys:
        raise ConfigError("keys", found=f"no key in {path}", expected="a key a line", next_step="write one into it")
    return keys
