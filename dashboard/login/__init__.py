"""The sign-in and sign-out forms. Knows no page."""
