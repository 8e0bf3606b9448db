"""A protocol version and scores in, a judgement out. Pure."""
