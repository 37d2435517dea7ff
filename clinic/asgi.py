"""The way in for an ASGI server: `uvicorn clinic.asgi:application`."""

import os
import warnings

from django.core.asgi import get_asgi_application
from django.utils.module_loading import import_string

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")

# WhiteNoise answers with a synchronous file. Django reads it in a thread, which is right for small files.
warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous iterators", Warning)
pages = get_asgi_application()
# By name, because what it imports needs the models that the line above has loaded.
application = import_string("clinic.http.router.Router")(pages)
