"""Owning other processes: starting them so that they cannot outlive us, logging, restarting and stopping them."""
