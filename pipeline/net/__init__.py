"""The network client that all requests go through. It keeps to the limits of each server and trusts no response.

How a request passes through it:

- `client`: the client of a process, with its event loop (`loop_thread`); `base` has the types that sources use.
- `cached_client`: looks into the response cache (`cache` over `cache_bodies` and `cache_index`; `cache_control`); joins
  equal requests (`single_flight`).
- `retrying_client`: follows redirects and retries, within the limits (`rate_limit`, `rate_limit_service`, `quota`) and
  the host's health (`circuit_breaker`); obeys robots.txt (`robots`); adds the key (`keys`).
- `transport`: sends one request, to checked addresses only (`addresses`), within time and size limits.
- `validation`, `status`: decide what a response means.
- `redact`: masks keys in logs and messages.
"""
