"""What the paths of the admin API do: one function each, from `Asked` to a JSON value."""
