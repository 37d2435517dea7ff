"""The upload endpoint, beside Django: tus for those with JavaScript, a form for those without.

A plain ASGI application, because Django spools every request body to a temporary file before any of its
code runs (ERASURE.md). Here host, session, policy and CSRF token are checked from the headers before a byte
of the body is read; then each piece is encrypted as it arrives. No plaintext touches a disk.
"""

import errno

from django.utils.translation import gettext as _

from clinic.asgi_guard import Receive, Refused, Scope, Send
from patients.imaging.refusals import Refused as FileRefused
from patients.keepsakes.arrivals import NotTaken
from patients.keepsakes.entrance import say
from patients.keepsakes.form_post import form
from patients.keepsakes.tus import tus


async def upload_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer under /upload/, whatever goes wrong, with a sentence a person understands."""
    try:
        await (form if scope["path"] == "/upload/form" else tus)(scope, receive, send)
    except Refused as refusal:
        await say(send, refusal.status, refusal.text, refusal.headers)
    except FileRefused as refused:
        await say(send, 422, str(refused.sentence))
    except NotTaken as refusal:
        await say(send, 409, str(refusal))
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        text = _("There is no room for this at the moment. Nothing of it was kept; please try again later.")
        await say(send, 507 if full else 503, text)
