"""What makes a request good, and what is kept of it: history, export, code blocks, prompts.

Nothing here serves or asks: ``server`` and ``magics`` call it. Importing this package imports
nothing heavy.
"""
