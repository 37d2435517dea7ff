"""The server's answer to what is no HTTP request for it: an unknown method, a line it cannot read.

Such a request reaches no application, so uvicorn answers it alone: 400 without any of our headers.
"""

import sys

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

NO_METHOD = "This method is not known here."
NO_REQUEST = "This is no request that can be read here."


class HouseProtocol(HttpToolsProtocol):
    """uvicorn's protocol with our headers on its own answers: 501 for an unknown method, else 400."""

    def send_400_response(self, msg: str) -> None:
        from clinic.http.guard import response_headers  # the server loads this module before Django is set up

        unknown = isinstance(sys.exc_info()[1], httptools.HttpParserInvalidMethodError)
        status, text = (501, NO_METHOD) if unknown else (400, NO_REQUEST)
        body = text.encode()
        fields = {"Content-Length": str(len(body)), "Connection": "close"}
        headers = response_headers("text/plain; charset=utf-8", fields)
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(STATUS_LINE[status] + lines + b"\r\n" + body)
        self.transport.close()
