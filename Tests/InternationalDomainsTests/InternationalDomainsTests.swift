// InternationalDomainsTests
