"""The verdict on a training that has ended: what its model is good for, its weaknesses, the certainty, and what
next."""
