"""What goes to the machine: the project, the data that a training command names, and the run that it resumes."""

from __future__ import annotations

import glob
import hashlib
import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hydra.core.override_parser.types import Override, Quote, QuotedString

from nmt.config.compose import arguments, composed, prepare
from nmt.config.overrides import leaves, parse_override
from nmt.config.store import register
from nmt.config.sweep_line import SEARCH_PATH
from nmt.errors import ConfigError, LaunchError
from nmt.launch.machine import write_private
from nmt.launch.ssh import Ssh
from nmt.launch.worktree import NEVER, is_secret, project_files
from nmt.plumbing.records import parsed, record_of

PROJECT = Path(__file__).resolve().parents[2]
FOLDERS, FILES = ("data.dir",), ("metrics.wmd.vectors", "search.dictionary", "train.init_from")
SENT = "sent.json"  # beside the machine's record: which files it has of us
DATA = "machine/data.json"  # in a run folder at home
OWN_CONFIGS = ("--config-dir", "-cd", "--config-name", "-cn")  # of Hydra's flags, those that say what to train
PREFIXES = ("data.train", "data.dev", "data.test")
PREFIX_GROUPS = ("data.tests.", "data.corpora.")  # NAME -> PREFIX


@dataclass(frozen=True)
class Item:
    """Local files, and the folder on the machine, from the launcher's folder there, that they go to."""

    sources: list[str]  # as rsync reads them: a folder with a slash at its end stands for what it holds
    target: str


@dataclass(frozen=True)
class TrainingPlan:
    """A training command, checked, with its paths as the machine will know them."""

    words: list[str]  # without the run folder
    run: str  # name of the run folder
    folder: Path  # where the run comes home to
    resumes: bool
    items: list[Item] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """Tells the machine whether it is asked for the same again; empty: to go on with whatever is in the folder."""
        if self.resumes and not self.words:
            return ""
        return hashlib.sha256(json.dumps([self.words, str(self.folder), self.resumes]).encode()).hexdigest()


def plan_training(words: Sequence[str], name: str) -> TrainingPlan:
    """What `train.py WORDS` means on the machine `name`. Raises ConfigError for any mistake in it, before it costs."""
    register()
    plan = prepare(words)
    if plan.multirun or not plan.runs:
        raise ConfigError(
            "training command",
            found="a sweep" if plan.multirun else "a command that trains nothing",
            expected="one run",
            next_step="launch one run for each machine, or sweep on the machine that you are on",
        )
    digest = hashlib.sha256("\n".join(words).encode()).hexdigest()[:8]
    overrides, kept, items = _own_configs(words)
    folder, resumes = Path("runs") / f"{name}-{digest}", False
    given = [parse_override(word) for word in overrides]
    if items:
        given += _named_by_files(words, {override.key_or_group for override in given})
    for override in given:
        if override.key_or_group == "hydra.run.dir":
            folder = Path(str(override.value()))
        elif override.key_or_group == "resume" and override.value() is not None:
            folder, resumes = Path(str(override.value())), True
        else:
            kept.append(_moved(override, items))
    if resumes:
        items += remembered(folder)
        items.append(Item([f"{folder}/"], f"runs/{_plain(folder.resolve().name)}"))
    return TrainingPlan(kept, _plain(folder.resolve().name), folder, resumes, items)


def _own_configs(words: Sequence[str]) -> tuple[list[str], list[str], list[Item]]:
    """-> the overrides, the flags of one's own configurations as the machine will know them, and their folder.

    Raises ConfigError for another flag of Hydra's: what it shows or changes is not a training there.
    """
    args, flags = arguments(words)
    other = [flag for flag in flags if flag.startswith("-") and flag.partition("=")[0] not in OWN_CONFIGS]
    if other:
        raise ConfigError(
            "training command", found=other[0], expected=f"overrides, {' or '.join(OWN_CONFIGS)}",
            next_step="leave it out",
        )  # fmt: skip
    kept, items = [], list[Item]()
    if args.config_dir is not None:
        folder = Path(args.config_dir).resolve()
        items.append(Item([f"{folder}/"], f"configs/{_place(folder)}"))
        kept.append(f"--config-dir=../{items[0].target}")
    return args.overrides, kept + [f"--config-name={args.config_name}"] * (args.config_name is not None), items


def _named_by_files(words: Sequence[str], typed_keys: set[str]) -> list[Override]:
    """The paths that one's own configurations name, as if they had been typed: the machine has other ones."""
    if "resume" in typed_keys:  # whose configuration is the run's
        return []
    named = ((key, value) for key, value in leaves(composed(words)) if _is_path(key) and value is not None)
    return [parse_override(f"{key}={typed(str(value))}") for key, value in named if key not in typed_keys]


def _is_path(key: str) -> bool:
    return key in (*FOLDERS, *FILES, *PREFIXES) or key.startswith(PREFIX_GROUPS)


def remember(plan: TrainingPlan) -> None:
    """Write down beside the run which data it was given: its configuration knows the machine's paths alone."""
    data = [asdict(item) for item in plan.items if item.target.startswith("data/")]
    if data:
        write_private(plan.folder / DATA, json.dumps(data, indent=2) + "\n")


def remembered(folder: Path) -> list[Item]:
    """The data of a run that goes on. Raises ConfigError where it is no longer there, or not on record as it was."""
    try:
        told = parsed((folder / DATA).read_bytes())
        items = [record_of(Item, item) for item in (told if isinstance(told, list) else [told])]
        gone = next((path for item in items for path in item.sources if not Path(path).exists()), None)
    except FileNotFoundError:  # of the embedded corpus, or trained here
        return []
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"resume={folder}",
            found=f"{folder / DATA}, which cannot be read",
            expected="the data that the run was given, as it was written",
            next_step="restore the file from a copy of the run",
        ) from error
    if gone is not None:
        raise ConfigError(
            f"resume={folder}",
            found=f"no {gone}",
            expected="the data that the run was given",
            next_step=f"put it back, or correct the path in {folder / DATA}",
        )
    return items


def _moved(override: Override, items: list[Item]) -> str:
    """The override with the path that its value is, if it is one, as the machine knows it; adds to `items`."""
    key, line = override.key_or_group, str(override.input_line)
    prefix = key in PREFIXES or key.startswith(PREFIX_GROUPS)
    if not _is_path(key):
        if key == SEARCH_PATH:
            raise ConfigError(key, found="a folder that is not uploaded", expected="--config-dir=DIR, which is",
                              next_step="put all of one's own configurations into one folder")  # fmt: skip
        if key in ("data.tests", "data.corpora") and override.value():
            raise ConfigError(
                key, found="several at once", expected="one word each", next_step=f"write +{key}.NAME=PREFIX"
            )
        return line
    if override.value() is None:
        return line
    path = Path(str(override.value())).expanduser()
    if key in FOLDERS:
        sources, home = ([f"{path.resolve()}/"] if path.is_dir() else []), path
    else:
        path = path.absolute()
        found = glob.glob(f"{glob.escape(str(path))}.*") if prefix else [str(path)] * path.is_file()
        sources, home = sorted(found), path.parent
    if not sources:
        raise ConfigError(
            key,
            found=str(override.value()),
            expected="a folder that exists" if key in FOLDERS else "files that exist",
            next_step="correct the path: it is uploaded from this machine",
        )
    held = [name for name in (Path(source).name for source in sources) if is_secret(name)] if key not in FOLDERS else []
    if held:
        raise ConfigError(
            key,
            found=f"{held[0]}, a name such as secrets have, which are never uploaded",
            expected="data under another name",
            next_step="rename the file if it holds no secret",
        )
    place = f"data/{_place(home.resolve())}"
    items.append(Item(sources, place))
    there = f"../{place}" if key in FOLDERS else f"../{place}/{path.name}"
    return f"{line.partition('=')[0]}={typed(there)}"


def typed(path: str) -> str:
    """A path as a value on Hydra's command line, whatever its characters."""
    return path if re.fullmatch(r"[\w./-]+", path) else QuotedString(path, Quote.single).with_quotes()


def _place(folder: Path) -> str:
    """A name for what comes from a folder: the same for the same, another one for another."""
    return f"{_plain(folder.name)}-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"


def _plain(name: str) -> str:
    """A name that is a name everywhere."""
    return re.sub(r"[^\w.-]", "_", name) or "run"


def check_checkout() -> None:
    """Raises LaunchError where nmt is installed as a package: what lies around it there is not the project."""
    if not (PROJECT / "pyproject.toml").is_file():
        raise LaunchError(
            "upload of the project", found=f"no checkout of it in {PROJECT}", expected="nmt run from a checkout",
            next_step="clone the project and launch from its folder",
        )  # fmt: skip


def upload_project(ssh: Ssh, folder: str, record: Path) -> None:
    """The working tree as git sees it; what was sent before and is gone here goes there too. Raises LaunchError.

    What the machine has made stays. `record` is the folder where the machine is on record.
    """
    check_checkout()
    files, before = project_files(PROJECT), _sent_before(ssh, record)
    _remember_sent(ssh, record, before | set(files))
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", errors="surrogateescape") as named:
        named.write("\0".join(sorted(before | set(files))))
        named.flush()
        words = ["--from0", f"--files-from={named.name}", "--delete-missing-args", "--force"]
        ssh.rsync([*words, "--", f"{PROJECT}/", ssh.path(f"{folder}/project/")], "upload of the project")
    _remember_sent(ssh, record, set(files))


def _sent_before(ssh: Ssh, record: Path) -> set[str]:
    try:
        kept = parsed((record / SENT).read_bytes())
        return set(kept["files"]) if kept["machine"] == ssh.machine.instance_id else set()
    except (OSError, ValueError, KeyError, TypeError):  # nothing was sent, or to another machine
        return set()


def _remember_sent(ssh: Ssh, record: Path, files: set[str]) -> None:
    kept = {"machine": ssh.machine.instance_id, "files": sorted(files)}
    write_private(record / SENT, json.dumps(kept) + "\n")


# `--config-dir=.` names a folder with everything in it: its secrets, environments and runs stay here.
CONFIGS_ALONE = ("--prune-empty-dirs", "--exclude=.*", "--include=*/", "--include=*.yaml", "--exclude=*")
# A folder of data may be `~/`; rsync knows no pattern for any case of letters.
SECRETS = tuple(f"--exclude={''.join(f'[{c}{c.upper()}]' if c.isalpha() else c for c in pattern)}" for pattern in NEVER)


def upload_items(ssh: Ssh, folder: str, items: Sequence[Item]) -> None:
    """Data, one's own configurations, and the run that goes on. What is newer on the machine stays.

    Of a folder of configurations only what Hydra reads goes up, of data no secrets. Raises LaunchError.
    """
    for item in items:
        kept = CONFIGS_ALONE if item.target.startswith("configs/") else ("--exclude=*.tmp", "--exclude=/machine")
        secrets = SECRETS if item.target.startswith("data/") else ()
        words = [
            "--update",
            *kept,
            *secrets,
            "--",
            *item.sources,
            ssh.path(f"{folder}/{item.target}/"),
        ]
        ssh.rsync(words, f"upload of {item.target}")
