"""The cleared environment of a worker: what it needs to run, and nothing secret.

Called by ``supervisor``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from .launch import child_environment

_KEPT = re.compile(
    r"""
    PATH | HOME | USERPROFILE | LANG | LANGUAGE | LC_\w+ | TZ | TMPDIR | TEMP | TMP
    | SYSTEMROOT | SYSTEMDRIVE | WINDIR | COMSPEC | PATHEXT | NUMBER_OF_PROCESSORS
    | LD_LIBRARY_PATH | DYLD_LIBRARY_PATH | DYLD_FALLBACK_LIBRARY_PATH
    | PYTHONPATH | PYTHONHOME | PYTHONUTF8 | PYTHONDONTWRITEBYTECODE | VIRTUAL_ENV | CONDA_PREFIX
    | OMP_\w+ | GOMP_\w+ | KMP_\w+ | GGML_\w+ | LLAMA_CPP_LIB\w*
    | CUDA_\w+ | HIP_\w+ | ROCR_\w+ | HSA_\w+ | VK_\w+ | METAL_\w+
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY", re.IGNORECASE)


def worker_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment a worker is started with.

    OpenMP's settings are passed on where the user has some; the worker sets its own otherwise.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if _KEPT.fullmatch(name) and not _SECRET.search(name)
    }
    # Without this, ggml may start a debugger on the process that aborts.
    kept["GGML_NO_BACKTRACE"] = "1"
    kept["PYTHONUNBUFFERED"] = "1"
    if os.name == "nt":
        kept.setdefault("PYTHONUTF8", "1")
    return child_environment(kept)
