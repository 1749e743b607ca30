"""A trained model as an HTTP service: LibreTranslate's interface, one of our own, and a page. Begin with `api.py`.

`text.py` cuts requests into sentences, `queue.py` puts sentences of all requests into batches, `models.py` holds what
translates them.
"""
