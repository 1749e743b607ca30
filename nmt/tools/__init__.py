"""Tools that a user has beside training: proofs that a run survives what happens to it, on one's own machine.

`python -m nmt.tools.verify_resume` and `python -m nmt.launch rehearse-interruption`. Read verify_resume.py first.
"""
