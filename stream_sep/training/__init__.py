"""The lab: data, training and evaluation of separators of our own; nothing here is needed to play."""
