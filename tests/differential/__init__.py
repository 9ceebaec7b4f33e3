"""The released Eureka server and ours, asked the same: random sequences of requests, compared answer by answer."""
