"""The host: knows models, starts and watches their workers, admits and routes requests.

Runs inside the Jupyter server or as a child process (``python -m jupyter_localllm.host``). Knows
neither Jupyter's authentication (``server/``) nor llama.cpp (``engine/``). ``connection_file`` and
``launch`` import nothing heavy, because magics use them. Import the modules, not this package.
"""
