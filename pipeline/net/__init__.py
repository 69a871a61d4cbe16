"""The one client that all network traffic goes through: polite to the servers, safe against what they answer."""
