"""Aerial and drone sources over the network."""
