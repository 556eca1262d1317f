"""A client of ``lmdebug serve``, on Python's standard library alone.

    from lmdebugger import Client, sub_updates
    client = Client("http://127.0.0.1:8001")
    trace = client.trace("Once upon a time there was a little", edits=["L1D483=0"])
    sub_updates(trace).frame()

``GET /api/v1/openapi.yaml`` of the server describes all answers.
"""

from lmdebugger.client import Client, Sweep
from lmdebugger.errors import ServerError
from lmdebugger.records import Records, cells, edges, predictions, sub_updates

__all__ = ["Client", "Records", "ServerError", "Sweep", "cells", "edges", "predictions", "sub_updates"]
