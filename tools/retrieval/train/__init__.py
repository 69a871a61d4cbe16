"""Training of retrieval models.

`config` is the file that says how, `setup` what is made of it, `trainer` the loop, `state` what is kept to go on from,
`schedule` the learning rate, `devices` where it computes and how precisely, `validate` the figures on val rows, `log`
and `curves` what is written about it.
"""
