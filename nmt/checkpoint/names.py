"""From a name to its key in the file and back: `encoder/forward/gru/kernel` <-> `encoder forward gru kernel`.

Keys in angle brackets are everything that is not a parameter: `<config>`, `<adam_m encoder forward gru kernel>`.
"""

from __future__ import annotations

from nmt.errors import CheckpointError

TF_VERSION, FORMAT_VERSION, DIGESTS = "<tf_version>", "<format_version>", "<digests>"
RESERVED = (TF_VERSION, FORMAT_VERSION, DIGESTS)
LONGEST_KEY = 1024  # bytes of UTF-8; the names of a deep model have about a hundred


def key_of(name: str) -> str:
    """The key of a parameter. Raises CheckpointError for a name that could not be told apart when read back."""
    for sign, called in ((" ", "a space"), ("<", "an angle bracket"), (">", "an angle bracket")):
        if sign in name:
            raise _unfit(name, f"{called} in the name")
    return _storable(name, name.replace("/", " "))


def extra_key(name: str) -> str:
    """The key of anything else: `config` -> `<config>`. Raises CheckpointError for a name that cannot be one."""
    for sign, called in (("/", "a slash"), ("<", "an angle bracket"), (">", "an angle bracket")):
        if sign in name:
            raise _unfit(name, f"{called} in the name of an extra")
    key = f"<{name}>"
    if key in RESERVED:
        raise _unfit(name, "a name that the format keeps for itself")
    return _storable(name, key)


def is_parameter(key: str) -> bool:
    """Whether a key of a file is one of a parameter."""
    return not key.startswith("<")


def name_of(key: str) -> str:
    """`encoder forward gru kernel` -> `encoder/forward/gru/kernel`."""
    return key.replace(" ", "/")


def plain_name(name: str) -> str:
    """Without the `:0` of TensorFlow's name for a variable's first output, which files of others may have."""
    return name.removesuffix(":0") if is_parameter(name) else name


def extra_name(key: str) -> str:
    """`<config>` -> `config`."""
    return key[1:-1]


def _storable(name: str, key: str) -> str:
    """HDF5 ends a name at a NUL, reads `.` as the group itself, and takes UTF-8."""
    if key in ("", ".", "<>"):
        raise _unfit(name, "an empty name" if key != "." else "the name '.'")
    if "\0" in key:
        raise _unfit(name, "a NUL in the name")
    try:
        num_bytes = len(key.encode())
    except UnicodeEncodeError:
        raise _unfit(name, "half a surrogate pair in the name") from None
    if num_bytes > LONGEST_KEY:
        raise _unfit(name, f"a name of {num_bytes} bytes")
    return key


def _unfit(name: str, found: str) -> CheckpointError:
    return CheckpointError(
        repr(name if len(name) < 80 else name[:77] + "..."),
        found=found,
        expected=f"at most {LONGEST_KEY} bytes without spaces or angle brackets (a slash becomes a space in the file)",
        next_step="rename it",
    )
