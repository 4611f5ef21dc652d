"""Diagrams: Mermaid and Graphviz text, checked, repaired, drawn.

``nouns.py`` has the values; ``extract.py`` finds diagrams in answers; ``renderer.py`` is what
others call, and sends a source to a child process, where ``pipeline.py`` uses ``repair/`` and
``drawing/``. ``grammar/`` makes models write what can be drawn, ``repair_turn.py`` gives them their
mistakes back, and ``sources/`` makes diagrams of code and data. Importing this package imports
nothing heavy.
"""
