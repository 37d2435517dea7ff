"""The ASGI application: `uvicorn clinic.asgi:application`."""

import os
import warnings

from django.core.asgi import get_asgi_application
from django.utils.module_loading import import_string

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")

# WhiteNoise responds with a synchronous file. Django reads it in a thread, which is fine for small files.
warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous iterators", Warning)
pages = get_asgi_application()
# Imported only here, because the router's imports need the models that the line above loads.
application = import_string("clinic.http.router.Router")(pages)
