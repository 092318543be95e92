"""The verdict on a training that has ended: what its model is good for, where it is weak, how sure, and what next."""
