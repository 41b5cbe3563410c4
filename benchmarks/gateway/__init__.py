"""`make bench-gateway`: the gateway beside a bare proxy and the LiteLLM proxy, on the same machine in the same run."""
