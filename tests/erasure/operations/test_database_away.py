"""B10: PostgreSQL stops under real processes and comes back: nothing is lost, and no restart is needed."""

import http.client
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from django.conf import settings
from django.db import connection, transaction

from erasure.runs.models import Event, Run
from patients.keepsakes.staging import staging_path
from patients.vault.stream import SEGMENT, plaintext_of
from tests import postgres
from tests.erasure.operations.served import serve
from tests.factories import jpeg, make_case, make_run
from tests.patients.keepsakes.sending import Sender
from tests.processes import database_address, until
from tests.serving import Stream, ask

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.processes,
    pytest.mark.only_on("postgresql"),
]

UNKNOWN_ID = "2b0c8a4e-0000-4000-8000-000000000000"


@contextmanager
def copied_cluster(directory: Path) -> Iterator[postgres.Cluster]:
    """A separate PostgreSQL cluster with a copy of the test's database, which a test may stop.

    Committed data survives even an immediate stop.
    """
    with postgres.cluster({"fsync": "off"}) as cluster:
        rows = directory / "rows.sql"
        dump = [cluster.binaries / "pg_dump", "-d", database_address(), "-f", rows]
        load = [cluster.binaries / "psql", "-q", "-d", cluster.address(), "-f", rows, "-v", "ON_ERROR_STOP=1"]
        for command in (dump, load):
            subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)  # noqa: S603
        yield cluster


def check_refused(answer: http.client.HTTPResponse) -> bytes:
    """Assert that an answer has status 503, says when to try again, and has our headers. Returns its body."""
    body = answer.read()
    assert answer.status == 503, (answer.status, body)
    assert int(answer.headers["Retry-After"]) > 0
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "no-store" in answer.headers["Cache-Control"]
    return body


def begin_patch(sender: Sender, upload_url: str, offset: int, length: int) -> http.client.HTTPConnection:
    """Send the headers of a PATCH request. The caller must send the `length` bytes of its body."""
    http_connection = http.client.HTTPConnection("127.0.0.1", sender.port, timeout=120)
    http_connection.putrequest("PATCH", upload_url)
    head = sender.headers(Upload_Offset=str(offset), Content_Type="application/offset+octet-stream")
    for name, value in {**head, "Content-Length": str(length)}.items():
        http_connection.putheader(name, value)
    http_connection.endheaders()
    return http_connection


def test_b10_requests_are_refused_and_a_stream_and_an_upload_go_on_after_postgresql_was_away(
    tmp_path: Path,
) -> None:
    run = make_run(memories=1)
    sender, viewer = Sender(0, make_case().patient), Sender(0, run.procedure.case.patient)
    picture = jpeg((2400, 1800))
    picture += bytes(max(0, 8 * SEGMENT - len(picture)))  # decoders ignore bytes after a JPEG's end
    with (
        copied_cluster(tmp_path) as cluster,
        serve("--workers", "0", LACUNA_DATABASE=cluster.address()) as served,
    ):
        sender.port = viewer.port = port = served.port
        upload_url = sender.announce(len(picture)).headers["location"]
        staged = staging_path(UUID(upload_url.rpartition("/")[2]))
        two_segments, three_segments, five_segments = (plaintext_of(segments) for segments in (2, 3, 5))
        assert sender.patch(upload_url, picture[: two_segments + 1]).headers["upload-offset"] == str(
            two_segments + 1
        )
        with Stream(port, run.pk, viewer.cookie, "?after=0") as stream:
            events = stream.events()
            assert next(events).data["kind"] == "started"
            sending = begin_patch(sender, upload_url, two_segments + 1, five_segments - two_segments)
            sending.send(picture[two_segments + 1 : three_segments + 1])
            until(lambda: staged.stat().st_size >= 3 * SEGMENT, "the third segment is on the disk")

            cluster.stop_server()
            sending.send(picture[three_segments + 1 : five_segments + 1])
            check_refused(sending.getresponse())
            vietnamese = {"Accept-Language": "vi"}
            with ThreadPoolExecutor(12) as at_once:
                page = at_once.submit(ask, port, "/me/", sender.cookie, **vietnamese)
                others = [
                    at_once.submit(ask, port, path, sender.cookie, **vietnamese)
                    for path in (f"/live/{run.pk}/", f"/pictures/{UNKNOWN_ID}", f"/playback/{UNKNOWN_ID}")
                ]
                health, static = at_once.submit(ask, port, "/health/"), ask(port, "/static/base.css")
                uploads = [
                    at_once.submit(sender.announce, 10),
                    at_once.submit(sender.ask, "HEAD", upload_url),
                    at_once.submit(sender.patch, upload_url, b"x", five_segments),
                    at_once.submit(sender.ask, "DELETE", upload_url),
                    at_once.submit(sender.post_form, ("files", "one.jpg", jpeg())),
                    at_once.submit(sender.ask, "POST", f"/sessions/{run.pk}/call-doctor/"),
                ]
            assert static.status == 200
            assert "Có thứ không trả lời.".encode() in check_refused(page.result())
            for other in others:
                assert check_refused(other.result()).decode().startswith("Lúc này chưa")
            assert (health.result().status, health.result().read()) == (503, b"unavailable")
            for upload in uploads:
                assert (upload.result().status, int(upload.result().headers["retry-after"]) > 0) == (
                    503,
                    True,
                )

            cluster.start_again()
            until(lambda: ask(port, "/health/").status == 200, "the server answers again")
            assert ask(port, "/me/", sender.cookie).status == 200
            # All complete segments are there, including those that arrived while the database was stopped.
            assert sender.ask("HEAD", upload_url).headers["upload-offset"] == str(five_segments)
            answer = sender.patch(upload_url, picture[five_segments:], five_segments)
            assert (answer.status, bool(answer.keepsake)) == (204, True), answer
            assert viewer.ask("POST", f"/sessions/{run.pk}/call-doctor/").status in {200, 204, 302}
            assert next(events).data["kind"] == "doctor-called"


def end_backends(condition: str) -> int:
    """Terminate the connections of the served processes for which `condition` holds. Return how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"  # noqa: S608 - our own condition
            f" WHERE application_name = 'served' AND {condition}"
        )
        (count,) = cursor.fetchone()
    return int(count)


def test_b10_connections_that_were_ended_are_replaced() -> None:
    run = make_run(memories=1)
    address = f"{database_address()}?application_name=served"
    with serve("--workers", "0", LACUNA_DATABASE=address) as served:
        viewer = Sender(served.port, run.procedure.case.patient)

        def statuses() -> set[int]:
            with ThreadPoolExecutor(12) as at_once:
                asked = [at_once.submit(viewer.ask, "GET", "/me/") for _number in range(24)]
            return {answer.result().status for answer in asked}

        assert statuses() == {200}
        assert end_backends("true") > 1
        assert statuses() == {200}

        # Terminate the connection of a request that waits for a lock, until the request is answered.
        answers = []
        caller = threading.Thread(
            target=lambda: answers.append(viewer.ask("POST", f"/sessions/{run.pk}/call-doctor/"))
        )
        with transaction.atomic():
            Run.objects.select_for_update().get(pk=run.pk)
            caller.start()
            until(lambda: end_backends("wait_event_type = 'Lock'") >= 0 and bool(answers), "it is answered")
        caller.join()
        assert (answers[0].status, int(answers[0].headers["retry-after"]) > 0) == (503, True)
        assert not Event.objects.filter(run=run, kind="doctor-called").exists()
        assert viewer.ask("POST", f"/sessions/{run.pk}/call-doctor/").status in {200, 204, 302}
        assert Event.objects.filter(run=run, kind="doctor-called").count() == 1


def test_b10_a_run_goes_on_when_postgresql_is_back(tmp_path: Path) -> None:
    run = make_run(memories=2, pace=1.0)
    env = {"LACUNA_LEASE_SECONDS": "2", "LACUNA_SECRET_KEY": settings.SECRET_KEY}

    with copied_cluster(tmp_path) as cluster:

        def count(table: str) -> int:
            with psycopg.connect(cluster.address()) as db:
                row = db.execute(f"SELECT count(*) FROM {table} WHERE run_id = %s", [run.pk]).fetchone()  # noqa: S608
            assert row
            return int(row[0])

        with serve("--workers", "1", LACUNA_DATABASE=cluster.address(), **env) as served:
            until(lambda: count("erasure_event") > 3, "the fade is under way")
            cluster.stop_server()
            until(lambda: ask(served.port, "/health/").status == 503, "the server notices")
            cluster.start_again()
            until(
                lambda: count("erasure_certificate") == 1,
                "the certificate is issued",
                lambda: count("erasure_event"),
            )
            assert ask(served.port, "/health/").status == 200
