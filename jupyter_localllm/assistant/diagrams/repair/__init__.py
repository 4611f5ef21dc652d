"""Rules that repair the mistakes models make in sources; ``repairs.py`` tries them one by one.

They run in the child that draws.
"""
