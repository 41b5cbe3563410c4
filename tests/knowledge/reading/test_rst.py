from __future__ import annotations

from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luodi.knowledge.reading.rst import Section, read_sections


def blocks(source: str) -> list[tuple[str, str]]:
    """Kind and text of every block of a document."""
    sections = read_sections(dedent(source), product="Django")
    return [(block.kind, block.text) for section in sections for block in section.blocks]


def check(text: str) -> list[Section]:
    sections = read_sections(text)
    position = 0
    for section in sections:
        assert section.start == position
        position = inside = section.end
        assert section.start < section.end
        assert section.line == 1 or section.titles
        at = section.start
        for block in section.blocks:
            assert at <= block.start < block.end <= inside
            assert block.text.strip() and block.line >= 1
            assert not text[block.start].isspace() and not text[block.end - 1].isspace()
            at = block.end
    assert position == len(text)
    return sections


DOCUMENT = """\
.. _top:

=====
Title
=====

Intro.

.. _first label:
.. setting:: DEBUG

``DEBUG`` *now*
===============

Body.

Deeper
------

Deeper
------
x
====
"""


def test_sections() -> None:
    sections = check(DOCUMENT)
    assert [(s.level, s.titles, s.anchor, s.line) for s in sections] == [
        (1, ("Title",), "top", 4),
        (2, ("Title", "DEBUG now"), "first label", 12),
        (3, ("Title", "DEBUG now", "Deeper"), "deeper", 17),
        (3, ("Title", "DEBUG now", "Deeper"), "deeper-2", 20),
        (2, ("Title", "x"), "x", 22),
    ]
    assert [b.text for s in sections for b in s.blocks] == ["Intro.", "Body."]
    assert DOCUMENT[sections[1].start :].startswith("``DEBUG``")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends_and_mark(newline: str) -> None:
    text = "\ufeff" + "Title\n=====\n\nText\nof two.\n".replace("\n", newline)
    (section,) = check(text)
    assert section.titles == ("Title",)
    (block,) = section.blocks
    assert block.text == "Text of two."
    assert text[block.start : block.end] == f"Text{newline}of two."
    assert block.line == 4


def test_text_without_headings() -> None:
    assert read_sections("") == []
    assert [s.blocks for s in check(" \n")] == [()]
    (section,) = check("Only\ntext\n")
    assert (section.level, section.titles, section.line) == (0, (), 1)
    first, second = check("Before.\n\nTitle\n=====\n")
    assert (first.titles, first.blocks[0].text, second.titles) == ((), "Before.", ("Title",))


@pytest.mark.parametrize("text", ["=====\nTitle\n\ntext", "a\n=\n", "Title\n==\n", "====", "====\n\n====\n", "::\n::"])
def test_malformed_adornments(text: str) -> None:
    check(text)


def test_chinese() -> None:
    (section,) = check("快速入门\n========\n\n第一行\n第二行 Django\n继续。\n")
    assert section.titles == ("快速入门",)
    assert section.anchor == "快速入门"
    assert section.blocks[0].text == "第一行第二行 Django 继续。"
    assert check("入门\n==\n")[0].titles == ()  # two wide characters need four columns
    assert blocks("=====  ====\n名称   说明\n=====  ====\n名字   值\n=====  ====\n") == [
        ("table", "名称 | 说明\n名字 | 值")
    ]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (":class:`~django.forms.Field` and :setting:`DEBUG`", "Field and DEBUG"),
        (":meth:`~a.b.run(x.y)`, :attr:`.name`, :func:`!open`", "run(x.y), name, open"),
        (":ref:`text <label>` :doc:`/ref/x` :doc:`the\npage </x>`", "text ref/x the page"),
        (":attr:`null=False <a.b>` :py:class:`int`", "null=False int"),
        ("``*args`` `link <https://x>`_ `named`_ other_ `<https://y>`__", "*args link named other https://y"),
        ("*em* and **strong *er***.", "em and strong *er*."),
        ("A note [1]_ and [#a]_, but x[1]_y", "A note and, but x[1]_y"),
        ("|version| or a | b", "version or a | b"),
        (r"\*args, **kwargs, a\ b __init__ 2*3*4", "*args, **kwargs, ab __init__ 2*3*4"),
        (":ticket:`12` :pep:`8` :rfc:`2616` :cve:`2020-1`", "#12 PEP 8 RFC 2616 CVE-2020-1"),
        ("``:role:`x <y>```", ":role:`x <y>`"),
    ],
)
def test_inline(source: str, text: str) -> None:
    assert blocks(source) == [("paragraph", text)]


def test_reference_to_a_label_of_the_document() -> None:
    text = "See :ref:`there` and :ref:`else`.\n\n.. _there:\n\nA place\n=======\n"
    assert read_sections(text)[0].blocks[0].text == "See A place and else."


def test_code() -> None:
    assert blocks("""\
        Like this::

            a

              b

        ::

            c

        Spaced ::

            d

        .. code-block:: python
            :caption: x.py

            def f():
                return 1

        >>> 1
        1
        """) == [
        ("paragraph", "Like this:"),
        ("code", "a\n\n  b"),
        ("code", "c"),
        ("paragraph", "Spaced"),
        ("code", "d"),
        ("code", "def f():\n    return 1"),
        ("code", ">>> 1\n1"),
    ]


def test_lists() -> None:
    assert blocks("""\
        * one
          more
        * two

          its second paragraph::

              code

          - nested
        #. auto
        3. three
        (a) letter

        A. Milne wrote this
        and it is a paragraph.

        :field: value
            goes on
        """) == [
        ("list", "- one more"),
        ("list", "- two"),
        ("list", "its second paragraph:"),
        ("code", "code"),
        ("list", "- nested"),
        ("list", "- auto"),
        ("list", "3. three"),
        ("list", "(a) letter"),
        ("paragraph", "A. Milne wrote this and it is a paragraph."),
        ("list", "field: value goes on"),
    ]


def test_notes() -> None:
    assert blocks("""\
        .. note::

            First ``x``.

            Second.

        .. warning:: On the
            same line.

        .. admonition:: Why?
            :class: x

            Because.

        .. versionadded:: 5.2

            The *new* thing.

        .. versionchanged:: 5.1 In short.

        .. deprecated:: 5.0

        .. seealso::

            * item
        """) == [
        ("note", "Note: First x."),
        ("note", "Second."),
        ("note", "Warning: On the same line."),
        ("note", "Why? Because."),
        ("note", "New in Django 5.2: The new thing."),
        ("note", "Changed in Django 5.1: In short."),
        ("note", "Deprecated since Django 5.0"),
        ("note", "See also:"),
        ("list", "- item"),
    ]


def test_definitions() -> None:
    assert blocks("""\
        .. method:: update(**kwargs)
                    aupdate(**kwargs)
            :async:

            Body of *it*.

            .. note:: Inner.

        .. py:attribute:: Field.null
        .. confval:: own

        .. glossary::

            term
                Its meaning.
        """) == [
        ("definition", "update(**kwargs)\naupdate(**kwargs)"),
        ("paragraph", "Body of it."),
        ("note", "Note: Inner."),
        ("definition", "Field.null"),
        ("definition", "own"),
        ("definition", "term"),
        ("paragraph", "Its meaning."),
    ]


def test_what_is_dropped() -> None:
    assert blocks("""\
        :orphan:

        .. comment
           of two lines

        .. _label:
        .. _site: https://x.example
        __ https://y.example
        .. |sub| replace:: text
        .. index:: a, b
        .. module:: x
           :synopsis: y
        .. currentmodule:: x
        .. highlight:: python
        .. toctree::
           :maxdepth: 2

           a
        .. image:: x.png

        ----

        ..

            A quotation.

        .. [1] A footnote.
        .. rubric:: *Heading*
        """) == [
        ("paragraph", "A quotation."),
        ("paragraph", "A footnote."),
        ("paragraph", "Heading"),
    ]


def test_tables() -> None:
    assert blocks("""\
        ====  ==========
        Name  Meaning
        ====  ==========
        a     ``one`` and
              two

        b     *three*
        ====  ==========

        +-----+------+
        | k   | v    |
        +=====+======+
        | a   | long |
        |     | er   |
        +-----+------+
        | b   |      |
        +-----+------+

        | line
        | block
        """) == [
        ("table", "Name | Meaning\na | one and two\nb | three"),
        ("table", "k | v\na | long er\nb"),
        ("paragraph", "line\nblock"),
    ]


def test_deep_nesting_is_read_flat() -> None:
    check("- " * 3000 + "x\n")
    check("".join(" " * n + "- x\n" for n in range(300)))
    check("".join(" " * 3 * n + ".. note::\n" for n in range(300)) + " " * 900 + "x")


MARKS = (
    "====|---|= =|+--+|::|.. |note::|code-block:: x|_a:|- |1. |:f: |:r:`|`|``|*|**|<b>|`_|[1]_|word|说明|\\|"
    "admonition:: T|versionadded:: 1 x|setting:: X|>>> |__ |  |    |\t|\n|\n\n|\r\n|\n.. |\ufeff|\u3000|\x0c"
)
PIECES = st.sampled_from(["|", *MARKS.split("|")])


@given(st.text() | st.lists(PIECES, max_size=60).map("".join))
def test_any_text_is_read(text: str) -> None:
    check(text)
