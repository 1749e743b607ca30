"""The variables of a module by name: how to read each, and how to set each.

Nothing here knows TensorFlow: a module has `variables`, a variable has `name`, `shape`, `dtype`, `assign`, `numpy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from nmt.checkpoint.values import Array
from nmt.errors import CheckpointError


class Module(Protocol):
    """What is asked of a model: a `tf.Module` has it."""

    @property
    def variables(self) -> Any: ...


def parameters(module: Module) -> dict[str, Any]:
    """Name -> variable, trainable or not. A name is the variable's own without `:0`.

    Raises CheckpointError where two variables share a name: a file could hold only one of them.
    """
    found: dict[str, Any] = {}
    for variable in module.variables:
        name = str(variable.name).removesuffix(":0")
        if name in found:
            raise CheckpointError(
                name,
                found="two variables of this name",
                expected="a name of its own for each",
                next_step="name the layers apart",
            )
        found[name] = variable
    return found


class Setter:
    """Called with a value, assigns it to its variable. Whatever goes from a file into a variable goes through here."""

    def __init__(self, variable: Any) -> None:
        self.variable = variable

    def __call__(self, value: Any) -> None:
        self.variable.assign(value)

    @property
    def shape(self) -> tuple[int, ...]:
        return shape_of(self.variable)

    @property
    def dtype(self) -> np.dtype[Any]:
        return dtype_of(self.variable)


def param_setters(module: Module) -> dict[str, Setter]:
    """Name -> the function that assigns a value to the variable of that name. With it a file is read in five lines:

        with h5py.File(path) as file:
            for key in file:
                if not key.startswith("<"):
                    setters[key.replace(" ", "/")](file[key][()])

    Raises CheckpointError where two variables share a name.
    """
    return {name: Setter(variable) for name, variable in parameters(module).items()}


def param_values(module: Module) -> dict[str, Array]:
    """Name -> a copy of the variable's value: a snapshot that further training does not change.

    Raises CheckpointError where two variables share a name.
    """
    return {name: np.asarray(variable.numpy()) for name, variable in parameters(module).items()}


def shape_of(value: Any) -> tuple[int, ...]:
    """Of an array or a variable."""
    return tuple(int(size) for size in value.shape)


def dtype_of(value: Any) -> np.dtype[Any]:
    """NumPy's type of an array or a variable; TensorFlow's types know theirs as `as_numpy_dtype`."""
    dtype: np.dtype[Any] = np.dtype(getattr(value.dtype, "as_numpy_dtype", value.dtype))
    return dtype


def named(source: Module | Mapping[str, Any]) -> Mapping[str, Any]:
    """Variables of a module, or a mapping as it is."""
    return source if isinstance(source, Mapping) else parameters(source)
