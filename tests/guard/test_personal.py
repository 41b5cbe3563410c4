import random
import time

import pytest

from luodi.guard import KINDS, find_personal, mask, planted, resolve, synthesize
from luodi.guard.item import WINDOW, PersonalItem


def kinds(text):
    return [item.kind for item in find_personal(text)]


def test_every_planted_value_is_found_whole_and_alone():
    missed = [
        (kind, text)
        for text, kind, value in planted(random.Random(7), 1100)
        if [(item.kind, item.text) for item in find_personal(text)] != [(kind, value)]
    ]
    assert not missed


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("tel13800138000", "phone"),
        ("（+86）138-0013-8000", "phone"),
        ("电话１３８００１３８０００。", "phone"),
        ("ring 020 7946 0958 after six", "landline"),
        ("（0755）8888 6666", "landline"),
        ("+86 10 6552 9988", "landline"),
        ("座机０２１－６２３４５６７８", "landline"),
        ("138\u30001234\u30005678", "phone"),
        ("138—1234—5678", "phone"),
        ("1101 0519 4912 3100 2X", "cn_id_card"),
        ("身份证：１１０１０５１９４９１２３１００２Ｘ", "cn_id_card"),
        ("回乡证 H0123456789", "hk_permit"),
        ("往来港澳通行证C12345678", "hk_permit"),
        ("台胞证0123456789(B)", "tw_permit"),
        ("台胞证号01234567", "tw_permit"),
        ("京ad12345", "cn_plate"),
        ("6222\u00a00212\u00a03456\u00a07894", "bank_card"),
        ("身份证110105 19491231 002X", "cn_id_card"),
        ("旧身份证号 110105491231002", "cn_id_card"),
        ("4111 1111 1111 1111 12/27", "bank_card"),
        ("pays to GB82 WEST 1234 5698 7654 32 USD", "iban"),
        ("SSN 219 09 4321", "us_ssn"),
        ('DB_PASSWORD="Tr0ub4dor&3"', "secret"),
        ("postgres://app:hunter2x@db.prod.io/main", "secret"),
        ("密码是 Abc12345", "secret"),
        ("whsec_" + "a1B2c3D4" * 4, "secret"),
        ("use ya29." + "a0Af_3-x" * 8, "secret"),
        ("seen from ecde:8a07:787:b26d:9e2e:5be6:6b66:ec95 today", "ip"),
        ("(07700) 977 058", "phone"),
        ("call me at (49) 3264-6927", "phone"),
        ("546.257.6123x413", "phone"),
        ("my card 503820979600", "bank_card"),
        ("-----BEGIN RSA PRIVATE KEY-----\n" + "Ab3/" * 16 + "\nand then the model stopped", "secret"),
        ("粤B·D12345停在门口", "cn_plate"),
        ("user from 2409:8a00:1c2d:5::77", "ip"),
    ],
)
def test_forms(text, kind):
    assert kinds(text) == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "listen on 127.0.0.1 or 0.0.0.0, see 192.0.2.17, 10.1.2.3 and ::1, 2001:db8::1",
        "upgrade to version 1.2.3.4, Chrome/91.0.4472.124, requires foo==2.0.11.35",
        "write to you@example.com, root@localhost or git@github.com:org/repo",
        "logo@2x.png and pip install name@1.2.3",
        "3.14159265358979 and 1612345678901234 and 2023-2024 and 12:30:45",
        "uuid 550e8400-e29b-41d4-a716-446655440000, sha 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
        "user.password = hasher.encode_md5_hash",
        "the token is required; password: secret; api_key=YOUR_API_KEY",
        "110105491231002 without a word about what it is",
        "11010519491231002" + "1",  # wrong check digit
        "4111 1111 1111 1112",
        "000-12-3456 and 666-12-3456 and 912-34-5678",
        "E12345678 is a part number",
        "H12345678 and T12345678 are part numbers",
        "fd00:1111:2222:3333:4444:5555:6666:7777 and 16:27:ac:a5:76:28:2d:36:63:1b:56:4d",
        "from 01-02-2020 to 01.02.2021, 503820979600 units",
        "新a股市值12345元，川a 12345",
        "std::vector<int> a::b 新API12 最新A版",
        "-----BEGIN PRIVATE KEY----- is how such a file begins, says the manual.",
    ],
)
def test_what_belongs_to_nobody_is_left_alone(text):
    assert mask(text) == (text, [])


def test_mask_names_the_kind_and_keeps_the_rest():
    text = "李雷，11010519491231002X，li.lei@qq.com！"
    masked, items = mask(text)
    assert masked == "李雷，[CN_ID_CARD]，[EMAIL]！"
    assert [text[item.start : item.end] for item in items] == [item.text for item in items]
    assert mask(text, items[1:])[0] == "李雷，11010519491231002X，[EMAIL]！"


def test_where_values_overlap_the_trusted_kind_wins():
    def item(kind, start, end):
        return PersonalItem(kind, start, end, "", 1.0)

    rows = [item("bank_card", 0, 18), item("cn_id_card", 0, 18), item("phone", 10, 21), item("ip", 20, 30)]
    assert [(kept.kind, kept.start) for kept in resolve(rows)] == [("cn_id_card", 0), ("ip", 20)]
    assert set(KINDS) == {kind for _, kind, _ in planted(random.Random(0), len(KINDS))}


@pytest.mark.parametrize("sign", ["1", "a", "@", "京", "-", "1 ", "a@a.", "://a:b", "token=1", "eyJ"])
def test_time_grows_with_the_length_only(sign):
    def seconds(size):
        text = (sign * size)[:size]
        begin = time.process_time()
        mask(text)
        return time.process_time() - begin

    small, large = seconds(20_000), seconds(160_000)
    assert large < 24 * small + 0.05  # eight times the text; a quadratic pass would take 64 times


@pytest.mark.parametrize("sign", ["7", "a", "@", "-", "eyJ", "，", "\ud800", "\u202e", "\0", "９"])
def test_ten_megabytes_of_one_sign(sign):
    text = sign * (10_000_000 // len(sign))
    begin = time.process_time()
    assert mask(text) == (text, [])
    assert time.process_time() - begin < 8


@pytest.mark.parametrize("text", ["\ud83d 13800138000 \udc00", "\u202e13800138000\u202c", "\x0013800138000\x00"])
def test_odd_signs_hide_nothing(text):
    assert kinds(text) == ["phone"]


def test_an_unknown_kind_names_the_known_ones():
    with pytest.raises(ValueError, match="cn_plate"):
        synthesize("shoe_size", random.Random(0))


def test_no_sample_but_pem_is_longer_than_the_window():
    assert all(len(value) < WINDOW for _, _, value in planted(random.Random(3), 220))
