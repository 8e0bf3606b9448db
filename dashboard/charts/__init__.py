"""Charts: pure functions of frozen values. Knows no Streamlit, no SQL."""
