"""Several processes that train one network: on this machine, and on two hosts that share nothing but a network."""
