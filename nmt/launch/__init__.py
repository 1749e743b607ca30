"""Machines rented by the hour: found, started, used, paid for and ended.

Read `commands.py` first: what a user may ask for; `up.py` starts a machine, `terminate.py` ends it.
"""
