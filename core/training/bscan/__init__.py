"""The recipe `bscan`: the dual guidance networks of paper 003, their ablations and rivals, on a user's B-scans."""
