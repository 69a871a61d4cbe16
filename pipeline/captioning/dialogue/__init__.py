"""Descriptions by a vision-language model: the turns, the requests, the model servers, the replies that are kept."""
