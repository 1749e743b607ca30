"""What a shell offers while a command is typed: commands, options, and the values of those that have a few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from nmt.config.augment import AugmentConfig
from nmt.config.commands import EvaluateConfig, TranslateConfig, entries_of
from nmt.config.export import ExportConfig
from nmt.config.mistakes import members
from nmt.config.reference import Entry, entries
from nmt.config.root import CommandLine, Config
from nmt.config.score import ScoreConfig
from nmt.config.serve import ServeConfig
from nmt.config.shortlist import ShortlistConfig
from nmt.config.store import GROUPS, options
from nmt.errors import ConfigError

KINDS = (
    ("evaluate", EvaluateConfig),
    ("translate", TranslateConfig),
    ("score", ScoreConfig),
    ("shortlist", ShortlistConfig),
    ("serve", ServeConfig),
    ("export", ExportConfig),
)
SHELLS = ("bash", "zsh", "fish")
PAGE = """\
Print a script that completes commands, options and their values.

  source <(nmt completion bash)
  source <(nmt completion zsh)
  nmt completion fish | source
"""


@dataclass(frozen=True)
class Offered:
    """Of one command: each key with its values; where there are none, any file may be the value."""

    values: Mapping[str, Sequence[str]]


def offers() -> dict[str, Offered]:
    """By command; commands with a language of their own (`checkpoint`, `launch`, ...) are not among them."""
    groups = {group: options(group) for group in GROUPS}
    train = Offered(groups | {entry.key: values_of(entry) for entry in entries(CommandLine)})
    augment = Offered({entry.key: values_of(entry) for kind in (AugmentConfig, Config) for entry in entries(kind)})
    rest = {name: Offered({entry.key: values_of(entry) for entry in entries_of(kind)}) for name, kind in KINDS}
    return {"train": train, "check": train, "augment": Offered({**groups, **augment.values}), **rest}


def values_of(entry: Entry) -> list[str]:
    """What may be typed, where it is one of a few."""
    if entry.declared.one_of:
        return list(entry.declared.one_of)
    found: list[str] = []
    for kind in get_args(entry.hint) or (entry.hint,):
        found += ["true", "false"] if kind is bool else members(kind)
    return found


def script(shell: str, commands: Mapping[str, str]) -> str:
    """The script for a shell, or how to use one; `commands` has what each command does. Raises ConfigError for a shell
    that is none."""
    if shell in ("-h", "--help"):
        return PAGE
    if shell not in SHELLS:
        raise ConfigError(
            "nmt completion",
            found=shell or "no shell",
            expected=f"one of {', '.join(SHELLS)}",
            next_step="write source <(nmt completion bash)",
        )
    return {"bash": bash, "zsh": zsh, "fish": fish}[shell](commands, offers())


def cases(offered: Mapping[str, Offered]) -> str:
    """Two `case` statements, of bash and zsh alike: the keys of a command, and the values of a key."""
    keys = [f"    {name}) keys='{' '.join(f'{key}=' for key in one.values)}' ;;" for name, one in offered.items()]
    values = [
        f"    {name}/{key}) values='{' '.join(some)}' ;;"
        for name, one in offered.items()
        for key, some in one.values.items()
        if some
    ]
    return "\n".join(["  case $command in", *keys, "  esac", '  case "$command/$key" in', *values, "  esac"])


def bash(commands: Mapping[str, str], offered: Mapping[str, Offered]) -> str:
    return f"""\
# Completion of nmt for bash: source <(nmt completion bash)
_nmt() {{
  local at=$COMP_CWORD word=${{COMP_WORDS[COMP_CWORD]}} command=${{COMP_WORDS[1]}} key='' keys='' values=''
  COMPREPLY=()
  if (( at == 1 )); then
    COMPREPLY=($(compgen -W '{" ".join(commands)}' -- "$word"))
    return
  fi
  # bash takes KEY=VALUE for three words
  if [[ $word == '=' ]]; then key=${{COMP_WORDS[at-1]}} word=''
  elif [[ ${{COMP_WORDS[at-1]}} == '=' ]]; then key=${{COMP_WORDS[at-2]}}; fi
{cases(offered)}
  if [[ -z $key ]]; then
    COMPREPLY=($(compgen -W "$keys" -- "$word"))
    [[ ${{#COMPREPLY[@]}} -gt 0 ]] && compopt -o nospace 2>/dev/null
  elif [[ -n $values ]]; then
    COMPREPLY=($(compgen -W "$values" -- "$word"))
  fi
  return 0
}}
complete -o default -F _nmt nmt
"""


def zsh(commands: Mapping[str, str], offered: Mapping[str, Offered]) -> str:
    return f"""\
#compdef nmt
# Completion of nmt for zsh: source <(nmt completion zsh), after compinit
_nmt() {{
  local command=$words[2] key='' keys='' values=''
  if (( CURRENT == 2 )); then
    compadd -- {" ".join(commands)}
    return
  fi
  [[ $PREFIX == *=* ]] && key=${{PREFIX%%=*}}
{cases(offered)}
  if [[ -z $key ]]; then
    compadd -S '' -- ${{=keys}} || _files
  else
    compset -P '*='
    if [[ -n $values ]]; then compadd -- ${{=values}}; else _files; fi
  fi
}}
compdef _nmt nmt
"""


def fish(commands: Mapping[str, str], offered: Mapping[str, Offered]) -> str:
    lines = ["# Completion of nmt for fish: nmt completion fish | source"]
    for name, purpose in commands.items():
        lines.append(f"complete -c nmt -f -n __fish_use_subcommand -a {name} -d {_quoted(purpose)}")
    for name, one in offered.items():
        here = f"__fish_seen_subcommand_from {name}"
        keys = " ".join(f"{key}=" for key in one.values)
        no_key_yet = 'not string match -q -- "*=*" (commandline -ct)'
        lines.append(f"complete -c nmt -n '{here}; and {no_key_yet}' -a '{keys}'")
        for key, some in one.values.items():
            if some:  # and no files beside them
                begun = f'string match -q -- "{key}=*" (commandline -ct)'
                values = " ".join(f"{key}={value}" for value in some)
                lines.append(f"complete -c nmt -f -n '{here}; and {begun}' -a '{values}'")
    return "\n".join([*lines, ""])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", r"\'") + "'"
