// SecureResolverTests
