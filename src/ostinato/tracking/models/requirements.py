"""Requirements: the packages, with versions, that the modules named in a model come from; no subprocess is needed."""

from __future__ import annotations

import platform
import re
import sys
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_KNOWN: Final[dict[str, tuple[str, ...]]] = {
    "sklearn": ("scikit-learn",),
    "xgboost": ("xgboost", "xgboost-cpu"),
    "yaml": ("PyYAML",),
    "dateutil": ("python-dateutil",),
    "PIL": ("pillow",),
    "cv2": ("opencv-python", "opencv-python-headless"),
    "skimage": ("scikit-image",),
}
"""Modules whose package has another name."""
_PINNED: Final = re.compile(r"([A-Za-z0-9][\w.-]*)==([\w.!+-]+)")


def requirements(modules: Iterable[str]) -> tuple[str, ...]:
    """Give what pip needs for these modules, as `name==version`, sorted; modules that no package has are left out."""
    found = {package for module in modules if (package := package_of(module))}
    return tuple(sorted((f"{name}=={version}" for name, version in found), key=str.lower))


@cache
def package_of(module: str) -> tuple[str, str] | None:
    """Give name and version of the package that a module comes from, None when it comes from none."""
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names or top in ("__main__", "ostinato"):
        return None
    likely = (*_KNOWN.get(top, ()), top)
    found = next((name for name in likely if version_of(name)), None) or next(iter(_packages().get(top, ())), None)
    return None if found is None else (found, version_of(found))


@cache
def _packages() -> Mapping[str, list[str]]:
    """Give the packages by module; 0.3 s where there are many."""
    return metadata.packages_distributions()


def version_of(package: str) -> str:
    """Give the version of a package that is installed, "" when it is not."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def pinned(lines: Iterable[str]) -> dict[str, str]:
    """Give the packages that are required in one version, each with it.

    Example:
        >>> pinned(["numpy==2.4.6", "pandas<3"])
        {'numpy': '2.4.6'}
    """
    found = (_PINNED.match(line.strip()) for line in lines)
    return {one[1]: one[2] for one in found if one}


def python_env() -> str:
    """Give the text of `python_env.yaml`, by which MLflow makes an environment."""
    return f"python: {platform.python_version()}\nbuild_dependencies:\n- pip\ndependencies:\n- -r requirements.txt\n"
