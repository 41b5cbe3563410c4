"""Reversible pseudonyms: values stand behind placeholders while a model reads, and come back for their owner.

A placeholder is the kind and eight letters, `[PHONE_KTWXRBDN]`: the letters are an HMAC of the value under a key of the
conversation, so one value has one placeholder in it and another one elsewhere, and nobody can try values against it.
Letters only, so that no detector of numbers sees a value in it.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from typing import TYPE_CHECKING

from luodi.guard.item import PersonalItem, flatten
from luodi.guard.personal import named

if TYPE_CHECKING:
    from luodi.store import Store

_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # no vowels: no words
_CODE = 8
LIMIT = 4096  # values of one conversation; more are masked for good
_LONGEST = 80  # characters of a placeholder as a model may write it, with the signs beside it
# as a model may repeat it: in small letters, without its brackets, with Markdown's escapes
_NAME = rf"(?:[A-Za-z]{{1,14}}\\?_){{1,4}}[{_LETTERS}{_LETTERS.lower()}]{{{_CODE}}}"
PLACEHOLDER = re.compile(rf"\[({_NAME})\]|(?<![A-Za-z0-9_])({_NAME})(?![A-Za-z0-9_])")
_SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_\\"
_ONLY = re.compile(r"[^0-9A-Za-z]+")


def _normal(text: str) -> str:
    """What is the same in every spelling of a value."""
    return _ONLY.sub("", flatten(text)).casefold() or text


class Vault:
    """The placeholders of one conversation.

    Args:
        secret: the conversation's key; a new one is made if none is given.
        values: value by placeholder (without brackets), as kept before.
        limit: values it takes; what comes after is masked and does not come back.

    Attributes:
        fresh: placeholders and values that are not kept yet; whoever keeps them empties it.
    """

    def __init__(self, secret: bytes = b"", values: dict[str, str] | None = None, *, limit: int = LIMIT) -> None:
        self.secret = secret or secrets.token_bytes(32)
        self._values = dict(values or {})
        self._names = {(name[: -_CODE - 1].lower(), value): name for name, value in self._values.items()}
        self._given = {_normal(value) for value in self._values.values()}
        self._limit = limit
        self.fresh: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._values)

    def hide(self, item: PersonalItem) -> str:
        """The placeholder of a value, in brackets; `[KIND]` if the vault is full."""
        name = self._names.get((item.kind, item.text))
        if name is None:
            if len(self._values) >= self._limit:
                self.note(item)
                return named(item)
            name = self._new(item)
            self._values[name] = self.fresh[name] = item.text
            self._names[item.kind, item.text] = name
            self.note(item)
        return f"[{name}]"

    def _new(self, item: PersonalItem) -> str:
        for tries in range(1000):
            about = f"{item.kind}\0{tries}\0{item.text}".encode("utf-8", "surrogatepass")
            number = int.from_bytes(hmac.digest(self.secret, about, "sha256"), "big")
            code = ""
            for _ in range(_CODE):
                number, place = divmod(number, len(_LETTERS))
                code += _LETTERS[place]
            name = f"{item.kind.upper()}_{code}"
            if name not in self._values:
                return name
        raise AssertionError("a thousand collisions of 34 bits")

    def note(self, item: PersonalItem) -> None:
        """Remember that the caller gave this value, without a placeholder for it."""
        if len(self._given) < 2 * self._limit:
            self._given.add(_normal(item.text))

    def given(self, item: PersonalItem) -> bool:
        """Whether the caller gave this value, in whatever spelling."""
        return _normal(item.text) in self._given

    def value(self, name: str) -> str | None:
        """The value behind a placeholder, however it is written; None if this conversation has no such one."""
        return self._values.get(name.strip("[]").replace("\\", "").upper())


class Restorer:
    """Puts values back into a stream; the output equals `restore(whole text)` for every chunking.

    Only what could still become a placeholder is held: the last run of letters, at most 80 characters.

    Args:
        quoted: the text is JSON, so values are escaped as inside a string.
    """

    def __init__(self, vault: Vault, *, quoted: bool = False) -> None:
        self._vault = vault
        self._quoted = quoted
        self._before = ""  # the character before what is held
        self._held = ""

    def feed(self, chunk: str) -> str:
        """The text that is safe to emit after `chunk`."""
        text = self._held + chunk
        cut = len(text.rstrip(_SIGNS))
        if cut and text[cut - 1] == "[":
            cut -= 1
        cut = max(cut, len(text) - _LONGEST)
        return self._emit(text, cut)

    def finish(self) -> str:
        """The rest; the automaton is then empty."""
        out = self._emit(self._held, len(self._held))
        self._before = ""
        return out

    def _emit(self, text: str, cut: int) -> str:
        if cut <= 0:
            self._held = text
            return ""
        whole = self._before + text
        done = skip = len(self._before)
        end = skip + cut
        parts: list[str] = []
        if "_" in whole:
            for found in PLACEHOLDER.finditer(whole, skip):
                if found.start() >= end:
                    break
                end = max(end, found.end())
                value = self._vault.value(found[1] or found[2])
                if value is not None:
                    shown = json.dumps(value, ensure_ascii=False)[1:-1] if self._quoted else value
                    parts += (whole[done : found.start()], shown)
                    done = found.end()
        parts.append(whole[done:end])
        self._before = whole[end - 1]
        self._held = whole[end:]
        return "".join(parts)


def restore(text: str, vault: Vault) -> str:
    """`text` with the values of the conversation's placeholders; those that it does not know stay."""

    def back(found: re.Match[str]) -> str:
        value = vault.value(found[1] or found[2])
        return found[0] if value is None else value

    return PLACEHOLDER.sub(back, text)


class Vaults:
    """Vaults of named conversations in a store: sealed, and opened only for the owner that filled them.

    Args:
        keep_s: how long a value stays after it was put in.
    """

    def __init__(self, store: Store, *, keep_s: float = 30 * 86_400.0) -> None:
        from luodi.store.vault import VaultRows

        self.rows = VaultRows(store, keep_s=keep_s)

    def open(self, owner: str, conversation: str, *, limit: int = LIMIT) -> Vault:
        """The vault of one owner's conversation; an empty one if there is none. Raises: StoreError."""
        from luodi.store.vault import SECRET, scope_of

        kept = self.rows.load(scope_of(owner, conversation))
        secret = kept.pop(SECRET, b"")
        # without its key a conversation would name its values anew and could meet its own placeholders
        values = {name: value.decode("utf-8", "surrogatepass") for name, value in kept.items()} if secret else {}
        return Vault(secret, values, limit=limit)

    def pending(
        self, vault: Vault, owner: str, conversation: str, subject: str
    ) -> list[tuple[str, str, str, int, bytes]]:
        """Sealed rows of what is new in `vault`, for `luodi.store.vault.put`; they count as kept."""
        from luodi.store.vault import SECRET, scope_of

        if not vault.fresh:
            return []
        values = {name: value.encode("utf-8", "surrogatepass") for name, value in vault.fresh.items()}
        vault.fresh.clear()
        return self.rows.rows(scope_of(owner, conversation), subject, {SECRET: vault.secret} | values)

    def keep(self, vault: Vault, owner: str, conversation: str, subject: str) -> None:
        """Write what is new in `vault`. Raises: StoreError."""
        from luodi.store.vault import SECRET, scope_of

        if vault.fresh:
            values = {name: value.encode("utf-8", "surrogatepass") for name, value in vault.fresh.items()}
            self.rows.save(scope_of(owner, conversation), subject, {SECRET: vault.secret} | values)
            vault.fresh.clear()

    def erase(self, owner: str, conversation: str) -> int:
        """Erase a conversation's values; how many rows went."""
        from luodi.store.vault import scope_of

        return self.rows.erase(scope=scope_of(owner, conversation))
