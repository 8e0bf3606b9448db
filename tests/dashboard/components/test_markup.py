"""Markup escapes whatever comes from outside, and figures read as they should."""

import pytest

from dashboard.components.markup import Html, chip, count, join, page_link, percent, tag


def test_text_and_attributes_are_escaped():
    assert tag("p", '<script>"', title='"><b>').text == '<p title="&quot;&gt;&lt;b&gt;">&lt;script&gt;&quot;</p>'


def test_markup_of_our_own_is_not_escaped_twice():
    assert tag("p", tag("b", "1 < 2")).text == "<p><b>1 &lt; 2</b></p>"
    assert join([Html("<i>"), "<i>", None], " ").text == "<i> &lt;i&gt; "


def test_attributes_that_are_not_set_are_left_out():
    assert tag("img", src="x", alt="", hidden=True, title=None, class_=False).text == '<img src="x" alt="" hidden>'
    assert tag("a", aria_label="Open", data_page="scan").text == '<a aria-label="Open" data-page="scan"></a>'


def test_links_encode_their_query():
    assert page_link("x", "scan", {"id": 7, "q": "a&b"}).text == (
        '<a href="/scan?id=7&amp;q=a%26b" data-page="scan">x</a>'
    )
    assert 'href="/worklist"' in page_link("x", "worklist").text


def test_a_chip_has_one_of_our_tones():
    assert chip("late", "bad").text == '<span class="chip bad">late</span>'
    with pytest.raises(AssertionError):
        chip("late", "pink")


def test_numbers_carry_thin_spaces():
    assert percent(0.705, 1) == "70.5\u202f%"
    assert count(1234567) == "1\u202f234\u202f567"
