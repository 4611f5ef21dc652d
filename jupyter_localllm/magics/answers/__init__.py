"""Answers: asked for, given a format, checked, and kept as values.

``answer.py`` is what others call.
"""
