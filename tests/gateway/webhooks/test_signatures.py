"""Signatures as the Standard Webhooks specification has them."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receiver import OLDER, SECRET, Got
from standardwebhooks.webhooks import Webhook

from luodi.errors import LuodiError
from luodi.gateway.webhooks import headers_of
from luodi.gateway.webhooks.sign import secrets_of


def test_the_specifications_own_example() -> None:
    headers = headers_of(
        secrets_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "S"), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
        b'{"test": 2432232314}',
    )  # fmt: skip
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(min_size=24, max_size=64), st.text(min_size=1, max_size=40), st.binary(max_size=400))
def test_the_official_library_agrees(key: bytes, id: str, body: bytes) -> None:
    from datetime import UTC, datetime

    text = "whsec_" + base64.b64encode(key).decode()
    data = body.hex()
    ours = headers_of(secrets_of(text, "S"), id, 1_700_000_000, data.encode())
    assert ours["webhook-signature"] == Webhook(text).sign(id, datetime.fromtimestamp(1_700_000_000, UTC), data)


def test_two_secrets_while_one_is_replaced() -> None:
    headers = headers_of(secrets_of(f"{SECRET} {OLDER}", "S"), "evt_1", 1, b"{}")
    got = Got("/", headers, b"{}")
    assert got.signed_with(SECRET) and got.signed_with(OLDER) and not got.signed_with("whsec_" + "A" * 32)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_!!!!", "whsec_QUJD", f"{SECRET} {OLDER} {SECRET}", "a b"])
def test_what_is_no_secret(text: str) -> None:
    with pytest.raises(LuodiError, match="MY_SECRET") as told:
        secrets_of(text, "MY_SECRET")
    assert "QUJD" not in told.value.message
