"""Machines rented by the hour: found, started, used, paid for and ended."""
