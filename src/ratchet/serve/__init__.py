"""Serve: releases become answers, answers become a log that loses nothing. Lean: serving processes import all of it."""
