"""What becomes of a written description: each claim held against the witnesses, and what none bears out taken out.

`claims` judges single claims by code, `verification` puts them to a model that sees the pictures, `rules` finds what no
description may say, `mending` takes out what failed, `grounding` does all of it.
"""
