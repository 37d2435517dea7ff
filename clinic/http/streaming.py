"""Downloads whose body is made while it is sent, so that no long body is in memory as a whole."""

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse


def stream(chunks: Iterator[bytes], *, content_type: str, filename: str) -> StreamingHttpResponse:
    """Return a response that sends `chunks` as a download. Each is made in the request's thread.

    filename: ASCII without quotes. Under ASGI Django reads a plain iterator to its end before it sends the
    first byte; so the response gets an asynchronous one.
    """
    response = StreamingHttpResponse(_in_request_thread(chunks), content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


async def _in_request_thread(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    def next_chunk() -> bytes | None:
        return next(chunks, None)

    while (chunk := await sync_to_async(next_chunk)()) is not None:
        yield chunk
