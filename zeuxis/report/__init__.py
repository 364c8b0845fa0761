"""What a run looks like when it is done: the curve, the page, the best pictures, the animation."""
