"""The certificate as PDF/A: a rendering of the signed statement, which is attached to it."""

import io
import json
from typing import Any

import segno
from django.template.loader import render_to_string
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from clinic.names import compose
from clinic.papers.typesetting import can_draw, drawable, fonts_for, typeset
from erasure.certificates import sanitization_fields, summary
from erasure.certificates.models import Certificate
from patients.keepsakes.models import Keepsake
from patients.memories.silhouette import Silhouette


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
            str(memory["number"] if memory["number"] is not None else ""),
            ", ".join(f"{labels.get(kind, kind)} {n}" for kind, n in memory.get("kinds", {}).items()),
            str(memory["objects"]),
            summary.group_thousands(memory["bytes"]),
            str(memory["passes"]),
            summary.format_time(memory["at"], statement["finished"]),
            str(memory["entry"]),
        ]
        for memory in statement["destroyed"]
    ]
    title = _("Memory by memory") if summary.is_night(statement) else _("One by one")
    return {"title": title, "head": head, "rows": rows}


def with_names_for_paper(statement: dict[str, Any], language: str) -> tuple[dict[str, Any], list[str]]:
    """Return the statement with words for each name that no font can draw, and a remark if there is one.

    The attached statement has the names as they are written.
    """

    def shown(name: str, placeholder: str) -> str:
        return name if can_draw(compose(name), language) else placeholder

    patient = shown(statement["patient"], _("the person named in the attached statement"))
    team = [
        {**one, "name": shown(one["name"], _("a person named in the attached statement"))}
        for one in statement.get("team", [])
    ]
    paper = {**statement, "patient": patient, **({"team": team} if "team" in statement else {})}
    remark = _(
        "The typefaces of this paper lack letters of a name. The attached statement has the name as it is"
        " written."
    )
    return paper, [] if paper == statement else [remark]


def pdf_data(made: Certificate, chart: Silhouette, url: str) -> dict[str, Any]:
    """Return everything that certificate.typ needs, in the active language.

    The arguments are those of `render_pdf`.
    """
    language = (get_language() or "en")[:2]
    statement, remark = with_names_for_paper(made.statement, language)
    doctors = summary.doctors(statement)
    verified = summary.format_time(
        statement["verification"].get("at") or statement["issued"], statement["started"]
    )
    words = {
        "lang": language,
        "fonts": fonts_for(language),
        "title": summary.title(statement),
        "reference": statement["reference"],
        "number": grouped(made.number),
        "opening": summary.opening(statement),
        "patient": statement["patient"],
        "closing": summary.closing(statement),
        "remarks": [*summary.remarks(statement), *remark],
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
    return {
        **drawable(words, language),
        "map": map_svg(chart),
        "qr": qr(url),
        "file": certificate_file(made),
    }


def render_pdf(made: Certificate, chart: Silhouette, url: str) -> bytes:
    """Return the certificate as PDF/A-3 in the active language. The same content gives the same bytes.

    chart: the map to draw. url: the page on which anyone can check the certificate.
    """
    return typeset("erasure/certificates/certificate.typ", pdf_data(made, chart, url), made.issued_at)
