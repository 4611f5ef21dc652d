"""Diagrams: Mermaid and Graphviz text, checked, repaired, drawn.

``nouns.py`` has the values; ``renderer.py`` is what others call, and sends the source to a child
process, where ``pipeline.py`` repairs (``*_repairs.py``), sanitises (``safe_source.py``), draws
(``mermaid.py``, ``dot.py``) and sanitises again (``safe_svg.py``). Importing this package imports
nothing heavy.
"""
