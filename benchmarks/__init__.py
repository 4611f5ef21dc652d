"""Programs that measure. They print tables and JSON, and never pass or fail."""
