"""Charts as pure functions of frozen values, drawn alike on pages and in reports. Knows no Streamlit, no SQL."""
