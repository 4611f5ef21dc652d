"""Loaded by every Python that ``benchmarks/overhead`` starts: notes when text left the engine.

Only a process that imports the scheduler is touched. Each line of ``stamps-<pid>.log`` is the
monotonic time, which all processes of a machine share, and how many characters had left by then.
"""

import os
import sys
import tempfile
import time
from importlib.abc import MetaPathFinder
from pathlib import Path

SCHEDULER = "jupyter_localllm.engine.scheduler"


class _Watch(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name != SCHEDULER:
            return None
        sys.meta_path.remove(self)
        import importlib.util

        spec = importlib.util.find_spec(name)
        run = spec.loader.exec_module

        def run_and_patch(module):
            run(module)
            _patch(module.Scheduler)

        spec.loader.exec_module = run_and_patch
        return spec


def _patch(scheduler):
    folder = Path(os.environ.get("TMPDIR", tempfile.gettempdir()))
    log = (folder / f"stamps-{os.getpid()}.log").open("a", buffering=1)
    emit = scheduler._emit_text
    sent = {}

    def stamped(self, generation, text):
        emit(self, generation, text)
        sent[generation.submitted] = sent.get(generation.submitted, 0) + len(text)
        log.write(f"{time.monotonic()} {sent[generation.submitted]}\n")

    scheduler._emit_text = stamped


sys.meta_path.insert(0, _Watch())
