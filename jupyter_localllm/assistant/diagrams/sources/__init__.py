"""Mermaid sources made of Python code, DataFrames and SQLite files, without a model."""
