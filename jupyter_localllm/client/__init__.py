"""The one client of the OpenAI HTTP dialect (httpx, asyncio) and its one synchronous bridge.

Used by the host to speak to workers and outside servers, and by the magics to speak to a host.
Import the modules, not this package: nothing heavy may be loaded by accident.
"""
