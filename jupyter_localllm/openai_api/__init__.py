"""The OpenAI HTTP dialect, spoken on every hop (DESIGN 2).

``requests``, ``answers`` and ``listings`` turn our nouns into OpenAI's JSON and back; ``routes``
serves them with tornado. The worker, the host and the server extension are three surfaces over
the same modules. Nothing here knows which of them it serves.
"""
