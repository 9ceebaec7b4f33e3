"""docs/migrating.md, followed with a released Eureka server as the old one."""
