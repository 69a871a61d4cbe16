"""The audit desk: people judge samples of a published dataset, and figures follow from what they decide."""
