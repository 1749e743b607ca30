"""Sweeps: trials that run in processes of their own, a ledger of them, and what they found."""
