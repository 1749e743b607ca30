"""What every floor stands on: files that appear whole, caches, locks, signals, text tables, and the edge of a command.

It imports the standard library and `nmt.errors` alone. Read `edge.py` first: it is what every command runs in.
"""
