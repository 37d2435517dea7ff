"""The certificate as PDF/A: a rendering of the signed statement, which is attached to it."""

import io
import json
import re
from pathlib import Path
from typing import Any

import segno
import typst
from django.template.loader import render_to_string
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from erasure.certificates import sanitization_fields, summary
from erasure.certificates.models import Certificate
from patients.keepsakes.models import Keepsake
from patients.memories.silhouette import Silhouette

TEMPLATES = Path(__file__).resolve().parents[2] / "templates" / "erasure" / "certificates"
# Libre Caslon Text and Courier Prime have no Vietnamese letters (docs/look.md). An English PDF takes only the
# missing letters from the second font, a Vietnamese PDF uses that font for everything.
FONTS = {
    "en": {"serif": ["Libre Caslon Text", "Newsreader"], "mono": ["Courier Prime", "IBM Plex Mono"]},
    "vi": {"serif": ["Newsreader", "Libre Caslon Text"], "mono": ["IBM Plex Mono", "Courier Prime"]},
}
# All characters except those that every pair above and Libre Franklin can draw. PDF/A allows no missing
# glyphs.
UNDRAWABLE = re.compile(
    "[^\u0020-\u007e\u00a0-\u00ac\u00ae-\u017e\u01a0\u01a1\u01af\u01b0\u0218-\u021b\u1ea0-\u1ef9"
    "\u2013\u2014\u2018-\u201a\u201c-\u201e\u2026]"
)


def drawable(value: Any) -> Any:
    """Return `value` with "?" for every character our fonts lack. The attached statement has all of them."""
    if isinstance(value, str):
        return UNDRAWABLE.sub("?", value.replace("\u202f", "\u00a0"))
    if isinstance(value, list | tuple):
        return [drawable(inner) for inner in value]
    if isinstance(value, dict):
        return {key: drawable(inner) for key, inner in value.items()}
    return value


def certificate_file(made: Certificate) -> str:
    """Return the certificate file: JSON with the statement exactly as it was signed, and the signature."""
    return json.dumps({"statement": made.body, "signature": made.signature}, ensure_ascii=False)


def qr(url: str) -> str:
    """Return the QR code of `url` as SVG."""
    out = io.BytesIO()
    segno.make(url, error="m", micro=False).save(out, kind="svg", dark="#14232c", border=0, xmldecl=False)
    return out.getvalue().decode()


def map_svg(chart: Silhouette) -> str | None:
    """Return the map after the run as SVG, None if no memory has a place on it."""
    if not chart.places:
        return None
    drawing = render_to_string("components/silhouette.html", {"map": chart})
    return drawing.strip().replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)


def grouped(number: str) -> str:
    """Return a number of hex digits in groups of four."""
    return " ".join(number[place : place + 4] for place in range(0, len(number), 4))


def memory_table(statement: dict[str, Any]) -> dict[str, Any]:
    """Return the table of destroyed memories: title, column heads and rows."""
    head = [
        _("No."),
        _("Keepsakes"),
        _("Objects"),
        _("Bytes"),
        _("Passes"),
        _("Gone at"),
        _("Entry"),
    ]
    labels = dict(Keepsake.Kind.choices)
    rows = [
        [
            str(memory["number"]),
            ", ".join(f"{labels.get(kind, kind)} {n}" for kind, n in memory.get("kinds", {}).items()),
            str(memory["objects"]),
            summary.group_thousands(memory["bytes"]),
            str(memory["passes"]),
            summary.format_time(memory["at"], statement["finished"]),
            str(memory["entry"]),
        ]
        for memory in statement["destroyed"]
    ]
    return {"title": _("Memory by memory"), "head": head, "rows": rows}


def pdf_data(made: Certificate, chart: Silhouette, url: str) -> dict[str, Any]:
    """Return everything that certificate.typ needs, in the active language.

    The arguments are those of `render_pdf`.
    """
    statement, language = made.statement, get_language() or "en"
    doctors = [one["name"] for one in statement["team"] if one["role"] == "doctor"]
    verified = summary.format_time(
        statement["verification"].get("at") or statement["issued"], statement["started"]
    )
    words = {
        "lang": language[:2],
        "fonts": {"sans": ["Libre Franklin"], **FONTS.get(language[:2], FONTS["en"])},
        "title": _("Certificate of erasure"),
        "reference": statement["reference"],
        "number": grouped(made.number),
        "opening": summary.opening(statement),
        "patient": statement["patient"],
        "closing": summary.closing(statement),
        "remarks": summary.remarks(statement),
        "caption": _("The map, as it is now."),
        "figures": [[str(label), str(value)] for label, value in summary.figures(statement)],
        "signatures": [*doctors[:1], _("Looked at afterwards, %(at)s") % {"at": verified}],
        "claim": _(
            "Claimed is the cryptographic erasure of logical objects: of keys, without which what is left can"
            " be opened by nobody. It is not claimed that a disk was wiped."
        ),
        "check": _("Anyone can check this paper, at"),
        "url": url,
        "sections": [section._asdict() for section in sanitization_fields.sections(statement, made.digest)],
        "beyond": {
            "title": _("What nobody can check from here"),
            "items": sanitization_fields.unverifiable(statement),
        },
        "memories": memory_table(statement),
        "spared": {
            "title": _("What was to go, and stayed"),
            "head": [_("No."), _("Why"), _("What is left")],
            "rows": summary.spared(statement),
        },
        "attached": _("The signed statement, of which this paper is a rendering"),
    }
    return {**drawable(words), "map": map_svg(chart), "qr": qr(url), "file": certificate_file(made)}


def render_pdf(made: Certificate, chart: Silhouette, url: str) -> bytes:
    """Return the certificate as PDF/A-3 in the active language. The same content gives the same bytes.

    chart: the map to draw. url: the page on which anyone can check the certificate.
    """
    return typst.compile(
        TEMPLATES / "certificate.typ",
        root=TEMPLATES,
        font_paths=[TEMPLATES / "fonts"],
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs={"data": json.dumps(pdf_data(made, chart, url))},
        pdf_standards=["a-3a", "ua-1"],
        timestamp=int(made.issued_at.timestamp()),
    )
