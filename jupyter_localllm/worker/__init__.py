"""The worker: one process, one model, an OpenAI-compatible server around one engine.

``python -m jupyter_localllm.worker --model FILE`` is usable by itself; the host starts it with
``--supervised`` (``host/supervisor.py``).
"""
