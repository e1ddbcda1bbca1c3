"""HTTP towards the providers, each request sent at most once: connections, answers, names, TLS, proxies."""
