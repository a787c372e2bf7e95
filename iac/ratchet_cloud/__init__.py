"""The loop on AWS, a module per concern; `stack.build` declares all of it."""
