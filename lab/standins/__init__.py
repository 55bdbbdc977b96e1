"""Services that people are told through, as stand-ins: each checks a request as strictly as the service's published
documentation says, keeps what it took, and says what it refused."""
