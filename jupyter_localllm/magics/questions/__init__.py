"""From a parsed line to a complete question, as a model gets it: ``composer.py``."""
