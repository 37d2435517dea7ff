"""Static files under /static/: a plain ASGI application, for Django has one thread for all of them.

A page asks for some thirty files at once. Through Django each would pass every middleware, one after another,
and behind whatever page is being made just then. Which files there are, their compressed forms, their ETags,
ranges and how long they may be kept is WhiteNoise's to say; here it is only asked, and heard in any thread.
"""

import asyncio
from functools import cached_property

from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import Response

from clinic.asgi_guard import Receive, Refused, Scope, Send, answer_refusal, by_our_name, house_headers, only


class Static:
    """The application. Everybody may have what it serves."""

    @cached_property
    def known(self) -> WhiteNoiseMiddleware:
        """WhiteNoise with the files of settings.STATIC_ROOT; with DEBUG it looks for each anew."""
        return WhiteNoiseMiddleware()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request for a file."""
        head = scope["method"] == "HEAD"
        try:
            only(scope, ["GET", "HEAD"])
            found, body = await asyncio.to_thread(self.find, scope)
        except Refused as refusal:
            await answer_refusal(send, refusal, head=head)
            return
        fields = dict(found.headers)
        headers = house_headers(fields.pop("Content-Type", ""), fields)
        await send({"type": "http.response.start", "status": int(found.status), "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def find(self, scope: Scope) -> tuple[Response, bytes]:
        """WhiteNoise's answer and what is in it. Errors: Refused, where there is no such file."""
        request = by_our_name(scope)
        look = self.known.find_file if self.known.autorefresh else self.known.files.get
        file = look(scope["path"])
        if file is None:
            raise Refused(404, "There is nothing here.")
        found = file.get_response(request.method, request.META)
        if found.file is None:
            return found, b""
        with found.file:
            return found, found.file.read()


static = Static()
