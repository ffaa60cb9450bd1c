// InternationalDomains
