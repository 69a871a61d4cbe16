"""Drawing for people: lettering, page blocks, and views with what was read off them."""
