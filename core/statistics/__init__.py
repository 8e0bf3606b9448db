"""Pure statistics of rates and agreement, each with its source."""
