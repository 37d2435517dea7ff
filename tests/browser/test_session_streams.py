"""Streams end to end: who may watch no longer leaves, and a killed web server is missed by nobody."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from clinic.accounts.models import Role, User
from erasure.runs import calls, control
from erasure.runs.models import Event, Run
from tests.browser.browsing import OpenHouse, serving_house
from tests.browser.watching import STILL, at_session, doctor_of, served
from tests.factories import make_run, make_user
from tests.house import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

LEAVES_WITHIN = 5.0  # seconds


def test_who_is_deactivated_leaves_within_five_seconds(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    auditor = make_user(Role.AUDITOR)
    with served(chromium) as house:
        leaving, staying = at_session(house, run, auditor), at_session(house, run)
        control.call_doctor(run.pk, by=None)
        for page in (leaving, staying):
            expect(page.locator('#log li[data-kind="doctor-called"]')).to_have_count(1)
        began = time.monotonic()
        User.objects.filter(pk=auditor.pk).update(is_active=False)
        leaving.wait_for_url(re.compile("/account/login/"), timeout=1000 * LEAVES_WITHIN)
        assert time.monotonic() - began < LEAVES_WITHIN
        expect(leaving.locator("#session")).to_have_count(0)
        assert "Photo 0" not in leaving.content()
        calls.acknowledge(run.pk, by=doctor_of(run))
        expect(staying.locator('#log li[data-kind="doctor-acknowledged"]')).to_have_count(1)


def web_of(process: "subprocess.Popen[str]") -> int | None:
    """The pid of the house's web server, while it has one."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            words = (place / "cmdline").read_bytes().decode().split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == process.pid and "erasure.operations.web" in words:
            return int(place.name)
    return None


def shown(page: Page) -> list[int]:
    """The seqs in the browser's log, oldest first."""
    seqs: list[int] = page.locator("#log li").evaluate_all("rows => rows.map(r => +r.dataset.seq).reverse()")
    return seqs


def test_a_killed_web_server_is_missed_by_nobody(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    control.pause(run.pk, by=doctor_of(run))
    with serving_house() as (address, process):
        house = OpenHouse(address, chromium)
        page = at_session(house, run)
        expect(page.locator("#session")).to_have_attribute("data-state", "paused")
        first = web_of(process)
        assert first is not None
        control.call_doctor(run.pk, by=None)
        expect(page.locator('#log li[data-kind="doctor-called"]')).to_have_count(1)
        os.kill(first, signal.SIGKILL)
        # While it is away things happen that nobody is told of.
        calls.acknowledge(run.pk, by=doctor_of(run))
        control.call_doctor(run.pk, by=None)
        until(lambda: web_of(process) not in (None, first), "another web server")
        calls.acknowledge(run.pk, by=doctor_of(run))
        last = Run.objects.get(pk=run.pk).last_seq
        expect(page.locator(f'#log li[data-seq="{last}"]')).to_have_count(1, timeout=30_000)
        every = list(Event.objects.filter(run=run).order_by("seq").values_list("seq", flat=True))
        assert shown(page) == every
        expect(page.locator("#answer")).to_be_hidden(timeout=30_000)
        expect(page.locator("#alarms .alarm")).to_have_count(0)
        # What was in the air when it died is a broken connection and nothing worse.
        assert [said for said in house.complaints() if "ERR_" not in said] == []
        page.context.close()
