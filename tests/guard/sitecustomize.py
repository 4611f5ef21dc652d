"""Run by every Python that starts with this folder on ``PYTHONPATH``: installs the guard."""

import loopback_only

loopback_only.install()
