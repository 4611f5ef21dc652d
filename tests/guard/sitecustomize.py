"""Run by every Python that starts with this folder on ``PYTHONPATH``: installs the guard."""

import loopback_only  # type: ignore[import-not-found]

loopback_only.install()
