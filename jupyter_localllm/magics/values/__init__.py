"""Values in braces: found by ``interpolation.py``, written in little room by the others."""
