"""One page per file: each asks, shows, and says what is not there."""
