import pytest

from luodi.guard import checksum


@pytest.mark.parametrize(
    ("check", "good"),
    [
        (checksum.luhn, "4111111111111111"),
        (checksum.luhn, "378282246310005"),
        (checksum.cn_id_card, "11010519491231002X"),  # the example of GB 11643
        (checksum.uscc, "91350100M000100Y43"),  # the example of GB 32100
        (checksum.iban, "GB82WEST12345698765432"),
        (checksum.iban, "DE89370400440532013000"),
    ],
)
def test_a_right_number_passes_and_each_changed_digit_fails(check, good):
    assert check(good)
    for place, sign in enumerate(good):
        if sign.isdigit():
            other = str((int(sign) + 1) % 10)
            assert not check(good[:place] + other + good[place + 1 :]), place


def test_dates_and_provinces_count():
    for body in ("11010519490231002", "99010519491231002", "11010518491231002"):
        assert not checksum.cn_id_card(body + checksum.id_check_digit(body))
    assert checksum.cn_id_card_15("110105491231002")
    assert not checksum.cn_id_card_15("110105491331002")


@pytest.mark.parametrize("text", ["", "x", "１２３４", "4111-1111", "\ud800" * 18, "9" * 18])
def test_wrong_forms_are_false(text):
    assert not checksum.cn_id_card(text)
    assert not checksum.uscc(text)
    assert not checksum.iban(text)
    assert not checksum.cn_id_card_15(text)
    assert text == "9" * 18 or not text or not checksum.luhn(text)
