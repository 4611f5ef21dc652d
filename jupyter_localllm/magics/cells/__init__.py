"""The cells of the session and of its notebook: what ran, what failed, what a question is about.

``cell_runs.py`` listens to the shell.
"""
