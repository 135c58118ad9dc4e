"""The only outgoing HTTP: connection pool, TLS, proxies, time-outs, retries."""
