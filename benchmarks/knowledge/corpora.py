"""Real documents in both languages: Django's documentation (BSD-3-Clause) out of its sdist, the Debian handbook
(CC-BY-SA-3.0 or GPL-2+) and the Debian FAQ (GPL-2+), English and Chinese, out of Debian's packages."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchmarks.parts import CACHE

from luodi.data.clean import Params, clean_shard
from luodi.data.documents import read_documents, read_one
from luodi.knowledge.chunks import Chunk, chunk_section
from luodi.knowledge.index import Original
from luodi.pipeline import Row
from luodi.project import Source

NAMES = ("django en", "debian en", "debian zh")
_SHA256 = "ad03d8abc51dbff95ebf34b27123cf0c26a3b62db7ba0cd520783686362533d1"
_DJANGO = ("docs/topics/**/*.txt", "docs/howto/**/*.txt", "docs/faq/**/*.txt", "docs/intro/**/*.txt")
_DEBIAN = {
    "en": (("debian-handbook", "usr/share/doc/debian-handbook/html/en-US"), ("debian-faq", "usr/share/doc/debian/FAQ")),
    "zh": (("debian-handbook", "usr/share/doc/debian-handbook/html/zh-CN"),
           ("debian-faq-zh-cn", "usr/share/doc/debian/FAQ/zh-cn")),
}  # fmt: skip


def documents(name: str) -> list[Row]:
    """Documents of a corpus, as rows."""
    product, _, language = name.partition(" ")
    found = _django() if product == "django" else _debian(language)
    return [
        Row(d.id, "document", d.text, d.source, d.path, end=len(d.text), meta={"digest": d.digest, **d.meta})
        for d in found
        if not d.problem
    ]


def _django() -> Iterator[object]:
    for glob in _DJANGO:
        source = Source(source="pypi-sdist:django==5.2.19", sha256=_SHA256, glob=glob)
        yield from read_documents(source, project=CACHE, downloads=CACHE / "downloads", progress=lambda *_: None)


def _debian(language: str) -> Iterator[object]:
    for package, folder in _DEBIAN[language]:
        root = _package(package) / folder
        files = sorted(root.glob("*.html"))
        if package == "debian-faq":
            files = [f for f in files if f.name.endswith(".en.html")]
        for file in files:
            yield read_one(f"deb:{package}", file.name, file.read_bytes(), CACHE)


def _package(name: str) -> Path:
    target = CACHE / name
    if not target.is_dir():
        work = CACHE / "deb"
        work.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "-q", "download", name], cwd=work, check=True, capture_output=True)
        (file,) = work.glob(f"{name}_*.deb")
        subprocess.run(["dpkg-deb", "-x", str(file), str(target)], check=True)
    return target


def sections(rows: list[Row]) -> list[Row]:
    """Cleaned sections; where two documents hold the same, the first is taken."""
    seen: set[str] = set()
    out = []
    for row in clean_shard(rows, Params())[0]:
        if row.text not in seen:
            seen.add(row.text)
            out.append(row)
    return out


def chunks(rows: list[Row], documents: list[Row]) -> list[Chunk]:
    texts = {(d.source, d.path): d.text for d in documents}
    return [c for r in rows for c in chunk_section(r, rank=0, words=70, original=texts[(r.source, r.path)])]


def originals(documents: list[Row]) -> list[Original]:
    return [Original(d.source, d.path, d.text, d.meta["digest"]) for d in documents]
