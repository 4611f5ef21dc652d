"""JSON schemas made to fit what grammars can say.

``tight.py`` goes through a schema and calls those that know one kind of value or one keyword;
``checks.py`` tells whether a value fits; ``pydantic_types.py`` and ``msgspec_types.py`` make
schemas of types. ``structured.py``, a folder above, is what others call for an answer's shape.
Importing this package imports nothing heavy.
"""
