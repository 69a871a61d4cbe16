"""Checks a written description: each claim is compared with the witnesses, and what none supports is taken out.

`claims` judges single claims by code, `verification` puts them to a model that sees the pictures, `rules` finds what no
description may say, `mending` takes out what failed, `grounding` does all of it.
"""
