"""The command line of the service; what it needs is an extra, and is imported when it is called."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from nmt.config.commands import run_command
from nmt.config.pages import serve_page
from nmt.config.serve import ServeConfig
from nmt.errors import ConfigError

NEEDED = ("starlette", "pydantic", "uvicorn", "python_multipart", "prometheus_client")


def run(argv: Sequence[str]) -> int:
    """-> exit status."""
    return run_command(main, ServeConfig, serve_page, argv)


def main(config: ServeConfig) -> None:
    """Raises ConfigError where the packages of the service are not installed."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigError(
            "nmt serve",
            found=f"no package {missing[0]}",
            expected="the extra packages of the service",
            next_step="install them: uv sync --extra serve, or pip install '.[serve]' in the project's folder",
        )
    from nmt.app.quiet import load_tensorflow

    load_tensorflow()  # here, or what it tells about itself is told
    from nmt.serve.server import serve

    serve(config)
