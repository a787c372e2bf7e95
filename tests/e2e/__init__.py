"""Tests of the whole stack, one after the other on the same one: it is stopped when the last of this folder is over."""
