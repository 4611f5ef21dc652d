"""What the child does to a source: sanitise, lay out, sanitise the SVG, make pixels and words.

``pipeline.py`` puts the steps in order.
"""
