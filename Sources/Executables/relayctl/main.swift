// relayctl
