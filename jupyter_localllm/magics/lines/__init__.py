"""What is typed behind ``%llm`` and ``%%llm``: words, options, commands, their help and completion.

``arguments.py`` is the door: it turns a line into one of the values of ``commands.py``.
"""
