"""Model files on disk: what is in them, which there are, whether they fit in memory.

No inference here, and nothing that loads a model; the worker's engine and the host import it.
"""
