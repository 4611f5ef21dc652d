"""Builders of GGUF files for the tests: scripted, slow, tiny and broken ones.

Nothing here is shipped, nothing here imports ``jupyter_localllm`` or ``llama_cpp``; needs numpy.
"""
