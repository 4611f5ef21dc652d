"""What is typed behind ``%llm`` and ``%%llm``: words, options, commands, their help and completion.

``line_arguments.py`` and ``cell_arguments.py`` are the doors: each turns a line into one of the
values of ``commands.py``.
"""
