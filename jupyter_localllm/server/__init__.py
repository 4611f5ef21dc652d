"""The Jupyter server's side: authenticate, authorize, parse, delegate to the host.

Nothing is decided here that the host or the engine could decide, and no model is touched.
``app`` is what Jupyter loads.
"""
