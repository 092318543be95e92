"""The verdict on an ended training: what its model is good for, its weaknesses, the certainty, and the next steps."""
