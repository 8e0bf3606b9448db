"""Of a long table the first fifty rows are drawn, the rest when asked for, by button or by address."""

from streamlit.testing.v1 import AppTest


def a_page() -> None:
    import streamlit as st

    from dashboard.components.long_table import draw_long

    draw_long(range(120), lambda rows: st.text(f"drawn {len(rows)}"), key="devices", noun="devices")
    draw_long(range(50), lambda rows: st.text(f"short {len(rows)}"), key="sites", noun="sites")


def test_fifty_rows_are_drawn_and_the_button_shows_all() -> None:
    page = AppTest.from_function(a_page).run()
    assert [text.value for text in page.text] == ["drawn 50", "short 50"]
    assert [caption.value for caption in page.caption] == ["50 of 120 devices"]
    (button,) = page.button
    page = button.click().run()
    assert [text.value for text in page.text] == ["drawn 120", "short 50"]
    assert not page.button
    assert page.query_params["all"] == "devices"


def test_an_address_shows_what_its_sender_saw() -> None:
    page = AppTest.from_function(a_page)
    page.query_params["all"] = "devices"
    assert page.run().text[0].value == "drawn 120"
