"""Names of parameters, and the functions that assign them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nmt.errors import CheckpointError

Array = npt.NDArray[Any]
Setter = Callable[[Array], object]


class Module(Protocol):
    """What is asked of a model: a tf.Module has it."""

    @property
    def trainable_variables(self) -> Any: ...


def parameter_name(variable: Any) -> str:
    """`encoder/forward/gru/kernel`, without TensorFlow's output number."""
    return str(variable.name).split(":")[0]


def parameters(module: Module) -> dict[str, Any]:
    """Variables by name. Raises CheckpointError where two share a name."""
    found: dict[str, Any] = {}
    for variable in module.trainable_variables:
        name = parameter_name(variable)
        if name in found:
            raise CheckpointError(
                name,
                found="two parameters of this name",
                expected="one",
                next_step="name the layers apart: a file has one dataset for a name",
            )
        found[name] = variable
    return found


def param_setters(module: Module) -> dict[str, Setter]:
    """For each parameter's name the function that assigns it.

    With it, reading a file takes five lines:

        with h5py.File(path) as file:
            for key in file:
                if not key.startswith("<"):
                    setters[key.replace(" ", "/")](file[key][()])
    """
    return {name: variable.assign for name, variable in parameters(module).items()}


def param_values(module: Module) -> dict[str, Array]:
    """A copy of each parameter, by name."""
    return {name: np.array(variable) for name, variable in parameters(module).items()}


def key_of(name: str) -> str:
    """The key in the file: slashes become spaces. Raises CheckpointError for a name that would not come back."""
    if any(sign in name for sign in " <>") or not name:
        raise CheckpointError(
            repr(name),
            found="a space, an angle bracket or nothing in a parameter's name",
            expected="a name such as encoder/forward/gru/kernel",
            next_step="rename it: spaces stand for slashes in the file, and brackets for what is no parameter",
        )
    return name.replace("/", " ")


def name_of(key: str) -> str:
    """The parameter's name from its key; files of the 2018 code add `:0`."""
    return key.split(":")[0].replace(" ", "/")
