"""How long the small history is, and which week of it is the first that is lived through."""

WEEKS, FIRST = 90, 80
