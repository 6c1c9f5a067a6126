"""One technology per room; rooms never import each other."""
