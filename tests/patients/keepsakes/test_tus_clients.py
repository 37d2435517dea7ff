"""Two tus clients that are not ours can upload a file: tuspy, and tus-js-client in a browser."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from tusclient.client import TusClient

from clinic.asgi import application
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake, Upload
from patients.vault.models import StoredObject
from patients.vault.objects import read
from tests.browser.browsing import chromium, open_pages
from tests.factories import jpeg, make_case
from tests.patients.keepsakes.sending import Sender
from tests.serving import serving

__all__ = ["chromium"]
pytestmark = pytest.mark.django_db(transaction=True)

PHOTO = jpeg((300, 200)) + os.urandom(300_000)
TUS_JS = Path(__file__).parents[2] / "vendor" / "tus-js-client" / "tus.min.js"


@pytest.fixture
def case() -> Case:
    return make_case()


@pytest.fixture
def sender(case: Case) -> Iterator[Sender]:
    with serving(application) as port:
        yield Sender(port, case.patient)


def check_brought(keepsake: Keepsake) -> None:
    assert read(keepsake.stored.get(role=StoredObject.Role.ORIGINAL)) == PHOTO
    assert keepsake.read().filename == "biển.jpg"


@pytest.mark.parametrize("chunk", [10_000, 70_000, 10**9])
@pytest.mark.parametrize("upload_checksum", [False, True])
def test_tuspy_uploads_and_resumes_a_file(
    sender: Sender, tmp_path: Path, chunk: int, upload_checksum: bool
) -> None:
    (tmp_path / "photo").write_bytes(PHOTO)
    client = TusClient(f"http://127.0.0.1:{sender.port}/upload/", headers=sender.headers())
    uploader = client.uploader(
        str(tmp_path / "photo"),
        chunk_size=chunk,
        metadata={"filename": "biển.jpg"},
        upload_checksum=upload_checksum,
    )
    uploader.upload_chunk()
    assert uploader.get_offset() == uploader.offset == min(chunk, len(PHOTO))
    other = client.uploader(str(tmp_path / "photo"), url=uploader.url, chunk_size=chunk)
    assert other.offset == uploader.offset, "another uploader resumes at the same offset"
    other.upload()
    check_brought(Keepsake.objects.get())


# Uploads the body of /photo. options: those of tus-js-client. cut: abort once, and start again.
UPLOAD = """async ({ cut, ...options }) => {
  const bytes = await (await fetch("/photo")).blob();
  return new Promise((done, fail) => {
    const upload = new tus.Upload(bytes, {
      endpoint: "/upload/",
      headers: JSON.parse(document.body.getAttribute("hx-headers")),
      metadata: { filename: "bi\u1ec3n.jpg", filetype: "image/jpeg" },
      retryDelays: [0, 50],
      storeFingerprintForResuming: false,
      onError: fail,
      onSuccess: () => done(upload.url),
      onChunkComplete: (_size, sent) => {
        if (!cut || sent >= bytes.size) return;
        cut = false;
        upload.abort().then(() => upload.start());
      },
      ...options,
    });
    upload.start();
  });
}"""
SETS_OF_OPTIONS: list[dict[str, Any]] = [
    {},
    {"chunkSize": 20_000},
    {"chunkSize": 150_000, "cut": True},
    {"uploadDataDuringCreation": True},
    {"overridePatchMethod": True, "chunkSize": 100_000},
    {"uploadLengthDeferred": True, "chunkSize": 100_000},
]


@pytest.mark.browser
def test_tus_js_client_uploads_a_file_with_each_set_of_options(case: Case, chromium: Browser) -> None:
    with open_pages(chromium) as site:
        someone = site.visitor(case.patient)
        someone.go("/me/keepsakes/")
        someone.page.route("**/photo", lambda route: route.fulfill(body=PHOTO))
        someone.page.evaluate(TUS_JS.read_text())
        for number, options in enumerate(SETS_OF_OPTIONS, start=1):
            where = someone.page.evaluate(UPLOAD, options)
            keepsake = Upload.objects.get(pk=where.rpartition("/")[2]).keepsake
            assert keepsake is not None, options
            check_brought(keepsake)
            assert Keepsake.objects.count() == number
        assert someone.complaints == []
