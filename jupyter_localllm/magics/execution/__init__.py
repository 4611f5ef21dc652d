"""``-x``: whether code may run, running it, and giving its errors back to the model."""
