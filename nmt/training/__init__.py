"""Steps that lower the loss, and the loop over them. What happens beside a step is carried in by hooks.

Read `loop.py` first, then `step.py`: one batch, its gradients, the new weights.
"""
