"""Read a published dataset as training batches.

`index` holds what is small of every row, `select` says which rows, `texts` and `pictures` make a model's input of one,
`order` says which rows make a batch, `rows` reads them, `batches` puts them together, `stream` does so without end.
"""
