"""A small RetinaNet that learns to find rectangles."""
