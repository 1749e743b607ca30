"""Sweeps: trials that run in processes of their own, a ledger of them, and what they found.

Read `runner.py` first; `ledger.py` is what a kill does not harm, `leaderboard.py` what was found.
"""
