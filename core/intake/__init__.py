"""Bytes in, checked and de-identified images out, with every fault named per file."""
