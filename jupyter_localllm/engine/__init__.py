"""Inference: one thread, one model, many requests in one batch.

Runs only in the worker process and is the only importer of ``llama_cpp`` (DESIGN 3). ``engine``
is the face it shows; ``scheduler`` decides what is computed next; ``llama`` is the C API, typed.
"""
