"""GBNF grammars whose every sentence can be drawn, and the closing of answers that were cut."""
